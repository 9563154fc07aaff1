import os

from fabric.api import open_shell, put, reboot, run, settings, sudo

THERE = os.environ["FAB_THERE"]


def shells():
    open_shell("echo from''-here; PS1=")
    print("shell is over")


def sudo_asks():
    print("got", sudo("id -un", pty=False))
    print("again", sudo("echo once more", pty=False))


def login_asks():
    with settings(user=os.environ["FAB_LOGIN"]):
        print("got", run("id -un"))


# Kills the sshd of this connection a moment later, as a machine that goes down does.
GOES = """
p=$$
while ! grep -q "^sshd" /proc/$p/comm; do p=$(cut -d" " -f4 /proc/$p/stat); done
touch {0}/rebooted
(while [ -e /proc/$$ ]; do sleep 0.05; done; kill -9 $p) >/dev/null 2>&1 </dev/null &
"""


def reboots():
    with open("goes", "w") as file:
        file.write(GOES.format(THERE))
    put("goes", f"{THERE}/goes")
    reboot(wait=30, command=f"sh {THERE}/goes", use_sudo=False)
    run("echo after")


def reboots_wrongly():
    reboot(wait=10, command="exit 3", use_sudo=False)

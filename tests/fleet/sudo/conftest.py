from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere.fleet import Host
from elsewhere.fleet.naming import password
from tests.fleet.sshd import Sshd, account, gone
from tests.fleet.test_link import options
from tests.require import require

RIGHT = "right as rain"
# What sudoers says of each login.
LOGINS = {
    "free": "{name} ALL=(ALL:ALL) NOPASSWD: ALL",
    "plain": "{name} ALL=(ALL:ALL) NOPASSWD: ALL\nDefaults:{name} !use_pty",
    "asks": "{name} ALL=(ALL:ALL) ALL\nDefaults:{name} timestamp_timeout=0, lecture=always, pam_service={name}",
    "once": "{name} ALL=(ALL:ALL) ALL\nDefaults:{name} timestamp_type=global, passwd_tries=1, pam_service={name}",
    "tty": "{name} ALL=(ALL:ALL) NOPASSWD: ALL\nDefaults:{name} requiretty",
    "ttyasks": "{name} ALL=(ALL:ALL) ALL\nDefaults:{name} requiretty, timestamp_timeout=0, !use_pty",
    "little": "{name} ALL=(ALL:ALL) NOPASSWD: /usr/bin/true",
    "two": "{name} ALL=(ALL:ALL) ALL\nDefaults:{name} pam_service={name}, timestamp_timeout=0",
    "none": "",
}
# What PAM does for some of them: without the two seconds that a wrong password usually takes; and one asks twice.
QUICK = "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n"
PAM = {"asks": QUICK, "once": QUICK, "two": QUICK.replace("account", "auth required pam_ftp.so\naccount", 1)}
On = Callable[..., Host]


@pytest.fixture(scope="session")
def logins(server: Sshd) -> Iterator[dict[str, str]]:
    """Users of this machine, each with other words in sudoers: what they are called in `LOGINS`, to their names."""
    require(program="sudo", install="apt-get install sudo")
    if os.geteuid() != 0:
        pytest.skip("only root can make users, and say what they may: run the tests as root")
    _swept()
    names = {login: f"ewsudo{os.getpid()}-{login}" for login in LOGINS}
    rules = Path(f"/etc/sudoers.d/elsewhere-sudo-{os.getpid()}-test")
    with contextlib.ExitStack() as stack:
        for name in names.values():
            stack.enter_context(account(name, server))
        text = "".join(f"{name}:{RIGHT}\n" for name in names.values())
        subprocess.run(["chpasswd"], input=text, text=True, check=True)
        stack.callback(rules.unlink, missing_ok=True)
        for login, text in PAM.items():
            service = Path("/etc/pam.d") / names[login]
            stack.callback(service.unlink, missing_ok=True)
            service.write_text(text)
        _sudoers(rules, "\n".join(LOGINS[login].format(name=name) for login, name in names.items()) + "\n")
        yield names


def _swept() -> None:
    """What runs have left that were killed, as one that hangs is."""
    for name in [each.pw_name for each in pwd.getpwall() if each.pw_name.startswith("ewsudo")]:
        pid, _, login = name.removeprefix("ewsudo").partition("-")
        if pid.isdecimal() and login in LOGINS and not Path("/proc", pid).exists():
            gone(name)
            Path("/etc/pam.d", name).unlink(missing_ok=True)
            Path(f"/etc/sudoers.d/elsewhere-sudo-{pid}-test").unlink(missing_ok=True)


def _sudoers(path: Path, text: str) -> None:
    """In one step, and only if sudo understands it: it would run nothing at all."""
    new = path.with_name(f"{path.name}.new")  # sudo does not read names with a dot
    new.write_text(text)
    new.chmod(0o440)
    try:
        subprocess.run(["visudo", "-q", "-c", "-f", new], check=True)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def running(text: str) -> list[int]:
    """The processes of this machine in whose command line it stands."""
    found = []
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if each.name.isdecimal() and text.encode() in (each / "cmdline").read_bytes():
                found.append(int(each.name))
    return found


@pytest.fixture
def on(server: Sshd, logins: dict[str, str]) -> Iterator[On]:
    """A host, as one of `LOGINS`; by its number another one."""
    with contextlib.ExitStack() as stack:

        def host(login: str, number: int = 0, **more: Any) -> Host:
            found = Host(server.hosts[number], user=logins[login], **options(server, **more))
            return stack.enter_context(found)

        yield host


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No password of another test, or of who runs them."""
    monkeypatch.delenv(password.VARIABLE, raising=False)
    password._kept.clear()

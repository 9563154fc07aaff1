import io
import os

from fabric.api import cd, env, get, put, run, settings, shell_env, sudo, task
from fabric.contrib.files import append, exists, sed

T = os.environ["FAB_THERE"]


@task
def plain():
    out = sudo("id -un; echo $SUDO_USER")
    print(repr(out), out.return_code)
    print(out.real_command)
    print(repr(sudo("id -un", user="nobody")))
    print(repr(sudo("id -u", user=65534)))
    with settings(sudo_user="nobody"):
        sudo("id -un", pty=False)
    sudo("id -gn", group="nogroup")


@task
def whole():
    with cd(T), shell_env(A="1 2"):
        sudo("echo \"$A\" > owned; cat owned; echo $((1+1)) | cat")
    run("stat -c '%%U %%a' %s/owned" % T)


@task
def files():
    put(io.StringIO("secret\n"), T + "/put", use_sudo=True, mode=0o600)
    run("stat -c '%%U %%a' %s/put" % T)
    kept = io.BytesIO()
    get(T + "/put", kept, use_sudo=True)
    print(kept.getvalue())
    append(T + "/put", "more", use_sudo=True)
    sed(T + "/put", "secret", "told", use_sudo=True, backup="")
    print(exists(T + "/put", use_sudo=True))


@task
def fails():
    with settings(warn_only=True):
        print(sudo("exit 3").return_code)
    sudo("exit 4")

import io
import os

from fabric import Connection, task


@task
def shells(c):
    print("exited", c.shell().exited)


@task
def shells_from_text(c):
    result = c.shell(in_stream=io.StringIO("PS1=; echo $((40 + 2))=answer; exit 3\n"), warn=True)
    print("42=answer" in result.stdout, result.exited, result.command, result.pty)


@task
def sudo_asks(c):
    print("got", c.sudo("id -un", hide=True).stdout)
    print("again", c.sudo("echo once more", hide=True).stdout)


@task
def login_asks(c):
    other = Connection(c.host, user=os.environ["FAB_LOGIN"], port=c.port, connect_kwargs={**PASSWORD, **c.connect_kwargs})
    print("got", other.run("id -un", hide=True).stdout)


PASSWORD = {"look_for_keys": False, "allow_agent": False}

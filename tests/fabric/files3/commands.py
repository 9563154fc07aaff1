"""Commands there, and what their results say."""
import io
import os

from fabric import task
from invoke.exceptions import CommandTimedOut, Failure, UnexpectedExit


@task
def plain(c):
    """One command."""
    r = c.run("echo hello; echo world >&2")
    print(repr(r.stdout), repr(r.stderr), r.exited, r.return_code, r.ok, r.failed, bool(r), r.pty, r.hide, r.command)
    print(r)
    print(repr(r), r.connection.host == c.host, r.encoding, repr(r.tail("stdout")), r.env, r.shell)


@task
def hidden(c):
    for hide in (True, "both", "out", "stdout", "err", "stderr", None, False):
        c.run("echo out; echo err >&2", hide=hide)
    try:
        c.run("true", hide="nonsense")
    except ValueError as error:
        print(error)
    try:
        c.run("true", nonsense=1)
    except TypeError as error:
        print(error)


@task
def warned(c):
    print(c.run("exit 3", warn=True).exited)
    try:
        c.run("echo told; echo why >&2; exit 4", hide=True)
    except UnexpectedExit as error:
        print(repr(error), str(error), error.result.exited, isinstance(error, Failure), error.reason)
    try:
        c.run("exit 5")
    except UnexpectedExit as error:
        print(str(error))


@task
def fails(c):
    c.run("echo before; exit 6")
    print("not reached")


@task
def fails_hidden(c):
    c.run("echo before; echo why >&2; exit 7", hide=True)


@task
def terminal(c):
    r = c.run("test -t 1 && echo yes; echo err >&2", pty=True)
    print(repr(r.stdout), repr(r.stderr))


@task
def variables(c):
    r = c.run("echo $ONE-$TWO", env={"ONE": "1", "TWO": "two"})
    print(sorted(r.env.items()))
    c.config.run.env = {"FROM_CONFIG": "yes"}
    c.run("echo $FROM_CONFIG")


@task
def echoes(c):
    c.run("echo x", echo=True)
    c.run("echo x", echo=True, echo_format="running {command}")
    r = c.run("exit 9", dry=True)
    print(r.exited, repr(r.stdout))


@task
def streams(c):
    out, err = io.StringIO(), io.StringIO()
    c.run("echo a; echo b >&2", out_stream=out, err_stream=err)
    print(repr(out.getvalue()), repr(err.getvalue()))
    print(c.run("cat", in_stream=io.StringIO("typed\n"), hide=True).stdout)


@task
def late(c):
    try:
        c.run("echo first; sleep 30", timeout=1)
    except CommandTimedOut as error:
        print(repr(error), error.timeout, repr(error.result.stdout))


@task
def promised(c):
    promise = c.run("echo later", asynchronous=True)
    r = promise.join()
    print(repr(r.stdout), r.exited)
    with c.run("echo in a block", asynchronous=True) as p:
        print(p.command)


@task
def folders(c):
    T = os.environ["FAB_THERE"]
    c.run("mkdir -p '%s/a b/c'" % T)
    with c.cd(T):
        with c.cd("a b"):
            print(c.cwd.replace(T, "T"))
            with c.cd("c"):
                c.run("basename \"$PWD\"")
        with c.cd("/"):
            c.run("pwd")
    with c.prefix("A=1"), c.prefix("B=2"):
        print(c.run("echo $A $B", hide=True).command, c.command_prefixes)
        with c.cd("/tmp"):
            c.run("echo $A; pwd")
    print(c.command_cwds, c.command_prefixes)


@task
def here(c):
    r = c.local("echo local; echo err >&2")
    print(repr(r.stdout), r.exited, repr(r.stderr))
    c.local("exit 3", warn=True)
    with c.cd("/"):
        c.local("pwd")
    c.local("echo $X", env={"X": "x"})
    print(c.local("test -t 1 && echo terminal", pty=True, hide=True).stdout.strip())

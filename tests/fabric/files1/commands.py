"""Commands there, and what their results say."""

from fabric.api import env, hide, quiet, run, settings, show, sudo, warn_only


def plain():
    """One command."""
    out = run("echo hello; echo world")
    print(repr(out), out.return_code, out.failed, out.succeeded, repr(out.stdout), repr(out.stderr))
    print(out.command)
    print(out.real_command)


def quotes():
    print(repr(run("echo \"a  b\" '$HOME' `echo x` $((1+2))")))
    print(repr(run("echo \\$HOME", shell=False)))
    print(repr(run("echo $((3 + 4))", shell_escape=False)))


def apart():
    out = run("echo out; echo err >&2; exit 0", pty=False, combine_stderr=False)
    print(repr(out), repr(out.stderr))
    out = run("echo out; echo err >&2", combine_stderr=True, pty=False)
    print(repr(out), repr(out.stderr))


def fails():
    run("echo before; exit 3")
    print("not reached")


def caught():
    try:
        run("false")
    except SystemExit as ending:
        print("caught", ending.code, ending.message.splitlines()[0])
    try:
        run("exit 7")
    except:
        print("a bare except")


def warned():
    with settings(warn_only=True):
        out = run("echo x; exit 4")
    print(out.failed, out.succeeded, out.return_code)
    with warn_only():
        print(run("exit 5").return_code)
    print(run("exit 6", warn_only=True).return_code)
    print(run("echo shown?; exit 7", quiet=True).return_code)
    with quiet():
        print(run("exit 8").return_code)
    env.ok_ret_codes = [0, 9]
    print(run("exit 9").failed)


def hidden():
    with hide("running", "stdout"):
        run("echo not seen")
    with hide("everything"):
        run("echo not seen")
        with show("stdout"):
            run("echo seen")
    with hide("commands"):
        run("echo not seen")
    with hide("stdout", "stderr", "aborts"), settings(warn_only=True):
        run("echo hidden; false")


def hidden_failure():
    with hide("stdout", "stderr"):
        run("echo told at the end; echo error >&2; exit 2", pty=False, combine_stderr=False)


def streams():
    import io

    kept, errors = io.StringIO(), io.StringIO()
    run("echo a; echo b >&2", pty=False, combine_stderr=False, stdout=kept, stderr=errors)
    print(repr(kept.getvalue()), repr(errors.getvalue()))


def partial():
    run("printf 'no newline'")
    run("printf 'a\\n\\nb\\n\\n'")
    run("true")
    run("printf 'x\\ry\\r\\nz'")


def late():
    from fabric.exceptions import CommandTimeout

    try:
        run("sleep 30", timeout=1)
    except CommandTimeout as error:
        print("late", error, error.timeout)


def unprefixed():
    with settings(output_prefix=False):
        run("echo plain")


def buffered():
    print(repr(run("echo 0123456789", capture_buffer_size=4)[-3:]))

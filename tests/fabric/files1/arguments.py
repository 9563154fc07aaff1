from fabric.api import abort, env, fastprint, puts, require, task, warn


def show(*args, **kwargs):
    print(args, sorted(kwargs.items()))


def needs():
    require("nothing", used_for="this test", provided_by=show)


def needs_two():
    env.empty = []
    require("nothing", "empty", provided_by=["show", needs])


def needs_none():
    env.something = 1
    require("something")
    print("fine")


def says():
    puts("a line")
    puts("no prefix", show_prefix=False)
    puts("no end", end="")
    puts("", show_prefix=False)
    fastprint("dot.")
    fastprint("\n")
    warn("careful")


def gives_up():
    abort("enough")


class Mine(Exception):
    pass


def raises():
    env.abort_exception = Mine
    try:
        abort("my own")
    except Mine as error:
        print("mine", error)


def breaks():
    raise KeyError("a bug in a task")


def leaves():
    raise SystemExit(7)


def environment():
    for key in sorted(env):
        if key in (
            "a",
            "b",
            "c",
            "user",
            "parallel",
            "warn_only",
            "shell",
            "tasks",
            "timeout",
            "pool_size",
            "hosts",
            "roles",
            "exclude_hosts",
            "password",
            "command_timeout",
            "linewise",
            "always_use_pty",
        ):
            print(key, repr(env[key]))


def outputs():
    from fabric.state import output

    print(sorted(output.items()))

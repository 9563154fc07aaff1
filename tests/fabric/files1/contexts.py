from fabric.api import cd, env, lcd, local, path, prefix, run, settings, shell_env, task, with_settings


@task
def folders():
    with cd("/tmp"):
        run("pwd")
        with cd(".."):
            run("pwd")
        with cd("~"):
            run('cd /; cd - >/dev/null; test "$PWD" = "$HOME" && echo home')
    run("mkdir -p '%(there)s/a b/c'" % env)
    with cd(env.there), cd("a b"), cd("c"):
        run('basename "$PWD"')
        run('basename "$(dirname "$PWD")"')


@task
def prefixes():
    with prefix("A=1"):
        run("echo $A")
        with prefix("B=2"), cd("/"):
            run("echo $A $B; pwd")
    print(env.command_prefixes, repr(env.cwd))


@task
def variables():
    with shell_env(ONE="1 one", TWO='"quoted" $HOME'):
        run('echo "$ONE,$TWO"')
        local('echo "$ONE"')
        with shell_env(THREE="3"):
            run('echo "$ONE,$THREE"')
    with path("/opt/x"):
        run("echo $PATH | grep -c ':/opt/x$'")
    with path("/opt/x", behavior="prepend"):
        run("echo $PATH | grep -c '^/opt/x:'")


@task
def here():
    with lcd(env.there):
        local("mkdir -p inner; basename $PWD")
        with lcd("inner"):
            local("basename $PWD; touch made")
    out = local("echo captured; echo error >&2", capture=True)
    print(repr(out), repr(out.stderr), out.return_code, out.failed, out.command, out.real_command)
    local("echo shown", shell="/bin/bash")
    with settings(warn_only=True):
        print(local("exit 3").return_code)
    local("exit 4")


@task
@with_settings(warn_only=True, colour="red")
def wrapped():
    print(env.warn_only, env.colour)
    run("false")


@task
def reverts():
    env.a, env.b = 1, 2
    with settings(a=10, b=20, clean_revert=True):
        env.a = 11
    print(env.a, env.b)
    with settings(a=10, new=1):
        print(env.a, env.new)
        env.a = 12
    print(env.a, "new" in env, env.get("new"))
    print(env.first("nothing", "a"))


import os

env.there = os.environ["FAB_THERE"]

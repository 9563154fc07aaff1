import os
import sys

from fabric.api import env, execute, parallel, run, runs_once, serial, settings, task

H = os.environ["FAB_HOSTS"].split(",")
env.hosts = H[:3]


@task
@parallel
def side():
    env.mine = env.host_string
    run("echo from $((1 + 1)) %s" % env.host_string)
    with settings(warn_only=True):
        run("exit 3")
    sys.stdout.write("[%s] still %s\n" % (env.host_string, env.mine == env.host_string))


@task
@parallel(pool_size=2)
def pooled():
    run("true")


@task
def after():
    sys.stdout.write("[%s] mine %s\n" % (env.host_string, env.get("mine")))


@task
@serial
def one():
    sys.stdout.write("[%s] serial\n" % env.host_string)


@task
@parallel
def some_fail():
    if env.host_string == H[1]:
        run("exit 4")
    run("echo ran")


@task
@parallel
def value():
    return env.host_string[-3:]


@task
@runs_once
def gathers():
    print(sorted(execute(value).items()))


@task
@parallel
def raises():
    if env.host_string == H[0]:
        raise ValueError("in a task")

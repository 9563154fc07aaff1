"""Hosts and roles, and who of them wins."""

import os

from fabric.api import env, execute, hosts, roles, run, runs_once, serial, task

H = os.environ["FAB_HOSTS"].split(",")
env.roledefs = {
    "web": H[:2],
    "db": {"hosts": [H[2]], "more": 1},
    "lazy": lambda: [H[3]],
}


def told():
    print("task", env.host_string, env.host, env.port, env.user, env.command, env.all_hosts, env.effective_roles)


@task
def plain():
    told()


@task
@hosts(H[0], H[1])
def two():
    told()


@task
@hosts([H[0], H[0], H[1]])
def listed():
    told()


@task
@roles("web", "lazy")
def by_role():
    told()


@task
@roles("db")
@hosts(H[0])
def mixed():
    told()


@task
@runs_once
def once():
    told()
    return 42


@task
def executes():
    print(sorted(execute(two)))
    print(execute("plain", hosts=[H[2]]))
    print(execute(once, hosts=H[:2]))
    print(execute(plain, role="lazy"))
    print(execute(plain, roles=["web", "db"], exclude_hosts=[H[0]]))
    print(execute(lambda a, b=0: (a, b), 1, b=2, host=H[0]))


@task
@serial
def kept():
    env.leaves = getattr(env, "leaves", 0) + 1
    print(env.leaves)

import os

from fabric import Config, Connection, Group, GroupResult, Result, SerialGroup, ThreadingGroup, task
from fabric.exceptions import GroupException, NothingToDo
from invoke import Context
from invoke.exceptions import UnexpectedExit

H = os.environ["FAB_HOSTS"].split(",")


@task
def texts(c):
    for args in ("web", "u@web", "web:22", "u@web:2222", "::1", "u@x@web"):
        one = Connection(args)
        print(repr(one), one.host, one.original_host, one.user, one.port, one.is_connected)
    for kwargs in ({"user": "u", "port": 5}, {"connect_timeout": 3}, {"forward_agent": True}, {"gateway": Connection("gw")}):
        one = Connection("web", **kwargs)
        print(repr(one), one.connect_timeout, one.forward_agent, one.gateway, dict(one.connect_kwargs), one.inline_ssh_env)
    for args in (("u@web", "v"), ("web:22", None, 23)):
        try:
            Connection(*args)
        except ValueError as error:
            print(error)
    print(Connection("a") == Connection("a"), Connection("a") == Connection("b"), Connection("a") < Connection("b"))
    print(len({Connection("a"), Connection("a"), Connection("u@a")}), sorted([Connection("b"), Connection("a")]))
    print(isinstance(c, Context), isinstance(c, Connection))
    try:
        Connection("web", connect_kwargs={"port": 3}).run("true")
    except ValueError as error:
        print(error)


@task
def by_hand(c):
    with Connection(H[0]) as one:
        print(one.is_connected)
        r = one.run("echo by hand")
        print(one.is_connected, isinstance(r, Result))
    print(one.is_connected)
    one.run("echo again")
    one.close()
    two = Connection(H[1], config=Config(overrides={"run": {"hide": True}}))
    print(repr(two.run("echo quiet").stdout))
    two.close()


@task
def groups(c):
    g = SerialGroup(*H[:3])
    results = g.run("echo in turn")
    print(isinstance(results, GroupResult), [r.stdout for r in results.values()], len(results.succeeded), results.failed)
    print(isinstance(g, Group), isinstance(g, list), len(g))
    try:
        g.run("exit 3", hide=True)
    except GroupException as error:
        print(len(error.result.failed), {type(e).__name__ for e in error.result.failed.values()}, error.result.succeeded)
    with ThreadingGroup.from_connections(g) as t:
        print(sorted(r.stdout for r in t.run("echo side by side", hide=True).values()))
    try:
        SerialGroup(H[0], "u@127.18.0.200:9").run("true", hide=True)
    except GroupException as error:
        print(len(error.result.failed), len(error.result.succeeded))

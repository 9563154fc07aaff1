from fabric.api import env, execute, run, settings, task
from fabric.exceptions import NetworkError
from fabric.network import denormalize, disconnect_all, join_host_strings, normalize, parse_host_string, to_dict
from fabric.state import connections
from fabric.task_utils import crawl
from fabric.tasks import WrappedCallableTask
from fabric.utils import indent
from fabric.operations import _shell_escape
from fabric.decorators import hosts
from fabric.context_managers import nested


@task
def texts():
    for text in ("web1", "u@web1", "web1:2222", "u@web1:2222", "u@x@web1", "::1", "[::1]:22", "u@[::1]:2222"):
        print(
            text,
            sorted(parse_host_string(text).items(), key=str),
            [part for part in normalize(text)],
            denormalize(text),
        )
    print(join_host_strings("u", "::1", "22"), join_host_strings("u", "h"))
    print(sorted(to_dict("u@h:1").items()))
    print(indent("a\nb"), indent(["x", "y"], 2), repr(indent("  a\n    b", strip=True)))
    print(_shell_escape('a"b$c`d'))


@task
def unreachable():
    with settings(use_exceptions_for={"network": True}):
        try:
            execute(touch, host="127.18.0.200:9")
        except NetworkError as error:
            print("network", error.message)
    with settings(skip_bad_hosts=True):
        print(type(execute(touch, host="127.18.0.200:9")["127.18.0.200:9"]).__name__)
    execute(touch, host="127.18.0.200:9")


def touch():
    run("true")


@task
def by_hand():
    import os

    first, second = os.environ["FAB_HOSTS"].split(",")[:2]
    with settings(host_string=first):
        run("echo by hand")
    with settings(host_string=second):
        run("echo and again")
    print(len(connections), first in connections)
    disconnect_all()
    print(len(connections))
    print(crawl("no.such", {}), isinstance(by_hand, WrappedCallableTask))

import os

from fabric import Config, Connection, task

first, second = os.environ["FAB_HOSTS"].split(",")[:2]
user, rest = first.split("@")
host, port = rest.split(":")
path = os.path.expanduser("~/.ssh/config")


def write(more=""):
    with open(path, "w") as file:
        file.write("Host alias\n  HostName %s\n  Port %s\n  User %s\n  ConnectTimeout 7\n%s" % (host, port, user, more))


@task
def go(c):
    write()
    one = Connection("alias")
    print(one.host == host, one.original_host, one.user, one.port == int(port), one.connect_timeout)
    one.run("echo by an alias")
    one.close()
    print(Connection("alias", user="other", port=5).port, Connection("alias", config=Config(overrides={"load_ssh_configs": False})).host)


@task
def jumps(c):
    write("  ProxyJump %s\n" % second)
    one = Connection("alias")
    print(type(one.gateway).__name__, one.gateway.host == second.split("@")[1].split(":")[0])
    one.run("echo over another")
    one.close()
    one.gateway.close()

import os

from fabric.api import env, run
from fabric.network import key_filenames, normalize

first, second = os.environ["FAB_HOSTS"].split(",")[:2]
user, rest = first.split("@")
host, port = rest.split(":")
path = os.path.expanduser("~/.ssh/config")
with open(path, "w") as file:
    file.write("Host alias\n  HostName %s\n  Port %s\n  User %s\n  IdentityFile ~/.ssh/id_ed25519\n" % (host, port, user))
env.use_ssh_config = True
env.hosts = ["alias"]


def go():
    print(normalize(env.host_string) == (user, host, port), len(key_filenames()))
    run("echo by an alias")


def over():
    env.gateway = second
    run("echo over another")

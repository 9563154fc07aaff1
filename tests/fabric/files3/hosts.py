import os
import sys

from fabric import task

H = os.environ["FAB_HOSTS"].split(",")


@task
def told(c):
    print(getattr(c, "host", None), type(c).__name__)


@task(hosts=[H[0], {"host": H[1]}])
def decorated(c):
    sys.stdout.write("on %s\n" % c.host)
    c.run("echo there")


@task(pre=[told], post=[told], hosts=[H[2]])
def wrapped(c):
    print("body", c.host)


@task
def fails_on_first(c):
    if c.host == H[0].split("@")[1].split(":")[0]:
        c.run("exit 5")
    print("went on", c.host)

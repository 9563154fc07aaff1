from fabric import task
from invoke import Collection

from . import deploy


@task
def top(c):
    print("top")


ns = Collection(top, deploy)

from fabric.api import env, task

from . import deploy


@task
def top():
    print("top", env.real_fabfile.split("/")[-1])

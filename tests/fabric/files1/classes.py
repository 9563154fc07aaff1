import os

from fabric.api import env, execute, task
from fabric.main import show_commands
from fabric.tasks import Task, WrappedCallableTask

H = os.environ["FAB_HOSTS"].split(",")


class Deploy(Task):
    """A task of a class."""

    name = "deploy"
    hosts = [H[0]]

    def run(self, version="none", *args):
        print(env.host_string, version, args)
        return version


class Logged(WrappedCallableTask):
    def run(self, *args, **kwargs):
        print("before", self.name)
        return super(Logged, self).run(*args, **kwargs)


deploy = Deploy()


@task(task_class=Logged)
def logged(x=1):
    """Is logged."""
    print("logged", x)


@task
def all_of_them():
    print(execute(deploy, "v1", "more"))
    print(execute("deploy", version="v2"))
    print(execute(logged, x=3))
    logged(4)


@task
def listing():
    show_commands(None, "short")


@task
def fails():
    execute("no_such_task")

"""Tasks of the newer kind.

With a second paragraph."""

from fabric.api import run, task
from fabric.tasks import Task

import submodule


def not_a_task():
    pass


@task
def simple():
    """It is simple."""
    print("simple")


@task(alias="a1")
def one_alias():
    print("one")


@task(aliases=["b1", "b2"], name="renamed")
def two_aliases():
    """A docstring that is so long that it does not fit on a line of a terminal that has eighty columns, as is usual."""
    print("two")


@task(default=True)
def fallback():
    print("the default")


class Made(Task):
    """Of a class."""

    name = "made"

    def run(self, x="none"):
        print("made", x)


instance = Made()

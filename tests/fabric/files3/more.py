"""More of them."""
from fabric import task


@task(default=True)
def first(c):
    """The first."""
    print("first", c.deploy.path)


@task(aliases=["zwei"])
def second(c):
    print("second")

from fabric.api import task


@task
def inner():
    """Inside."""
    print("inner")


@task(default=True)
def main_one():
    print("default of the module")

from fabric.api import task


@task
def go():
    print("go")

from invoke import task


@task(default=True)
def go(c, where="there"):
    print("go", where)

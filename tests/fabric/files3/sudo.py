from fabric import task


@task
def plain(c):
    print(repr(c.sudo("id -un", hide=True).stdout))
    print(repr(c.sudo("id -un", user="nobody", hide=True).stdout))
    c.sudo("whoami")
    print(c.sudo("false", warn=True).exited)


@task
def fails(c):
    c.sudo("sh -c 'exit 4'")

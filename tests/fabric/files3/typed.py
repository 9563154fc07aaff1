from fabric import task


@task
def asks(c):
    c.run("echo ready; read a; echo got $a", pty=True)


@task
def asks_plainly(c):
    c.run("echo ready; read a; echo got $a")

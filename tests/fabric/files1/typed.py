from fabric.api import run


def asks():
    run("echo ready; read a; echo got $a", pty=True)


def asks_plainly():
    run("echo ready; read a; echo got $a", pty=False)

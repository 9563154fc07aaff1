from fabric.api import env, prompt, task
from fabric.contrib.console import confirm
from fabric.colors import blue, cyan, green, magenta, red, white, yellow


@task
def questions():
    print(repr(prompt("Name?")))
    print(repr(prompt("Port?", "port_asked", default=80)), env.port_asked)
    print(repr(prompt("Word?", validate=r"[a-z]+")))
    env.known = "old"
    print(repr(prompt("Known?", "known")))
    print(confirm("Sure?"), confirm("Really?", default=False), confirm("Now?"))


@task
def numbers():
    print(repr(prompt("Number?", validate=int)))


@task
def colours():
    for colour in (red, green, yellow, blue, magenta, cyan, white):
        print(repr(colour("text")), repr(colour("text", bold=True)))

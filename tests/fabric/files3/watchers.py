from fabric import task
from invoke import FailingResponder, Failure, Responder, ResponseNotAccepted


@task
def answers(c):
    yes = Responder(pattern=r"Sure\? ", response="y\n")
    r = c.run("printf 'Sure? '; read a; echo got $a; printf 'Sure? '; read b; echo and $b", watchers=[yes], in_stream=False)
    print(repr(r.stdout))


@task
def refuses(c):
    no = FailingResponder(pattern=r"Word: ", response="wrong\n", sentinel="denied")
    try:
        c.run("printf 'Word: '; read a; echo denied; sleep 5", watchers=[no], in_stream=False)
    except Failure as error:
        print(type(error.reason).__name__, error.result.exited, isinstance(error.reason, ResponseNotAccepted))
        print(error.reason)


@task
def here(c):
    yes = Responder(pattern=r"Sure\? ", response="y\n")
    r = c.local("printf 'Sure? '; read a; echo got $a", watchers=[yes], in_stream=False)
    print(repr(r.stdout))

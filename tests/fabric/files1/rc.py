from fabric.api import env


def told():
    print(env.own, env.another, env.user, repr(env.shell))


def shown():
    print(env.get("own"), env.get("another", "none"))

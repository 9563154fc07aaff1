"""Tasks and collections."""
from fabric import task
from invoke import Collection, Exit, call
from invoke import task as invoke_task

import more


@task(default=True)
def before(c, what="x"):
    print("before", what)


@invoke_task
def plain_invoke(c):
    """Of invoke."""
    print("plain", type(c).__name__)


@task(pre=[before, call(before, what="y")], post=[before])
def around(c):
    print("around")


@task(before)
def short_pre(c):
    print("short")


@task(
    name="renamed",
    aliases=["r1", "r_2"],
    help={"name": "Whose.", "loud": "Shout."},
)
def original_name(c, name, loud=False, times=1, opt=None, shown=True):
    """
    Say a name.

    More of it.
    """
    print(name, loud, times, opt, shown)


@task(optional=["log"], iterable=["item"], incrementable=["verbose"], positional=["where"])
def kinds(c, where="here", log=None, item=None, verbose=0, under_score="a"):
    print(where, log, item, verbose, under_score)


@task(autoprint=True)
def printed(c):
    return "the value"


@task(auto_shortflags=False)
def long_only(c, name="x"):
    print(name)


@task
def leaves(c, code=3):
    raise Exit("a message", code=code)


@task
def breaks(c):
    raise KeyError("a bug in a task")


@task
def configured(c):
    print(c.deploy.path, c["deploy"]["path"], c.config.deploy.path, c.get("nothing", "default"))
    c.deploy.path = "changed"
    c.new = {"a": 1}
    print(c.deploy.path, c.new.a, "new" in c, c.config.run.hide)
    try:
        c.nothing
    except AttributeError as error:
        print(str(error).splitlines()[0])


ns = Collection(before, plain_invoke, around, short_pre, original_name, kinds, printed, long_only, leaves, breaks, configured)
ns.add_collection(Collection.from_module(more))
ns.add_collection(Collection("deep", inner=Collection("inner", more.second)))
ns.configure({"deploy": {"path": "/srv"}})

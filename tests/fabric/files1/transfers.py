import io
import os

from fabric.api import cd, env, get, hide, lcd, local, put, run, settings

T = os.environ["FAB_THERE"]


def _source():
    local(
        "mkdir -p src/sub && echo one > src/one.txt && echo two > src/two.txt && echo deep > src/sub/deep.txt && chmod 700 src/one.txt"
    )


def puts_files():
    _source()
    print(list(put("src/one.txt", T + "/one.txt")))
    print(list(put("src/one.txt", T)))
    print([os.path.relpath(p, T) for p in sorted(put("src/*.txt", T))])
    print(put("src/one.txt", T + "/moded", mode=0o640).succeeded)
    put("src/one.txt", T + "/moded2", mode="0755")
    put("src/one.txt", T + "/mirrored", mirror_local_mode=True)
    with cd(T), lcd("src"):
        put("two.txt", "by-cd.txt")


def puts_folders():
    _source()
    run("mkdir -p %s/into" % T)
    print(sorted(put("src", T + "/into")))
    print(sorted(put("src/", T + "/slash")) if run("mkdir %s/slash" % T).succeeded else None)


def puts_objects():
    text = io.StringIO("from memory\n")
    text.read(4)
    print(put(text, T + "/memory"))
    print(text.tell())
    text.name = "called"
    put(text, T + "/memory2", mode=0o600)
    put(io.BytesIO(b"\x00\xff"), T + "/binary")


def fails_put():
    with settings(warn_only=True):
        result = put(io.StringIO("x"), T + "/no/such/folder/x")
        print(result.failed, result.succeeded)
    put("no-such-file", T)


def aborts_put():
    put(io.StringIO("x"), T + "/no/such/folder/x")


def gets_files():
    run("mkdir -p %s/d/e; echo x > %s/d/x; echo y > %s/d/e/y; chmod 600 %s/d/x" % (T, T, T, T))
    print([os.path.relpath(p) for p in get(T + "/d/x")])
    print([os.path.relpath(p) for p in get(T + "/d/x", "plain")])
    local("mkdir into")
    print([os.path.relpath(p) for p in get(T + "/d/x", "into")])
    print([os.path.relpath(p) for p in get(T + "/d/x", "named-%(basename)s-%(host)s")])
    print(sorted(os.path.relpath(p) for p in get(T + "/d", "tree")))
    print(sorted(os.path.relpath(p) for p in get(T + "/d", "tree2/%(path)s")))
    print(sorted(os.path.relpath(p) for p in get(T + "/d/*", "glob")))
    with cd(T + "/d"), lcd("into"):
        get("x", "again")
    get(T + "/d/x", "plain")
    memory = io.BytesIO()
    print(get(T + "/d/x", memory), memory.getvalue())


def fails_get():
    with settings(warn_only=True):
        result = get(T + "/nothing")
        print(result.failed)
    get(T + "/nothing*")

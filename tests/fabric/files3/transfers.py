import io
import os

from fabric import SerialGroup, task
from fabric.transfer import Result, Transfer

T = os.environ["FAB_THERE"]
H = os.environ["FAB_HOSTS"].split(",")


def told(r):
    for name in ("local", "orig_local", "remote", "orig_remote"):
        value = getattr(r, name)
        print(name, value.replace(os.getcwd(), "HERE").replace(T, "T") if isinstance(value, str) else type(value).__name__)


@task
def puts(c):
    with open("one", "w") as file:
        file.write("one\n")
    os.chmod("one", 0o750)
    told(c.put("one", T))
    told(c.put("one", T + "/other"))
    told(c.put("one", remote=T + "/plain", preserve_mode=False))
    c.run("cd %s && mkdir -p home" % T)
    told(c.put(io.StringIO("memory\n"), T + "/memory"))
    named = io.StringIO("named\n")
    named.name = "called"
    told(c.put(named, T + "/home"))
    told(c.put(io.BytesIO(b"\x00\xff"), T + "/binary"))
    told(c.put("one"))
    for args in (("",), (io.StringIO("x"),), (io.StringIO("x"), T)):
        try:
            c.put(*args)
        except ValueError as error:
            print(error)
    for args in (("nothing", T), ("one", T + "/no/such/x")):
        try:
            c.put(*args)
        except OSError as error:
            print(type(error).__name__)


@task
def gets(c):
    c.run("echo x > %s/x; chmod 640 %s/x" % (T, T))
    told(c.get(T + "/x"))
    told(c.get(T + "/x", "plain"))
    told(c.get(T + "/x", "into/"))
    told(c.get(T + "/x", "{host}-{basename}", preserve_mode=False))
    kept = io.BytesIO()
    told(c.get(T + "/x", kept))
    print(kept.getvalue())
    try:
        c.get(T + "/nothing")
    except FileNotFoundError as error:
        print("not found")
    try:
        c.get("")
    except ValueError as error:
        print(error)
    g = SerialGroup(*H[:2])
    print(len(g.get(T + "/x")))
    print(sorted(os.path.relpath(r.local) for r in g.put("plain", T + "/from-group").values()))


@task
def sftp(c):
    files = c.sftp()
    files.mkdir(T + "/made")
    files.rename(T + "/made", T + "/renamed")
    files.symlink("renamed", T + "/link")
    print(sorted(files.listdir(T)), files.readlink(T + "/link"), files.stat(T + "/link").st_mode, files.lstat(T + "/renamed").st_size > 0)
    files.rmdir(T + "/renamed")
    print(files.normalize(T) == os.path.realpath(T), files.getcwd())
    files.chdir(T)
    print(files.getcwd() == T, files.listdir("."))
    try:
        files.stat("nothing")
    except FileNotFoundError:
        print("not found")
    print(isinstance(Transfer(c).is_remote_dir("/"), bool), Result.__name__)

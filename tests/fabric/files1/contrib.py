import os

from fabric.api import cd, env, hide, run
from fabric.contrib.files import append, comment, contains, exists, first, is_link, sed, uncomment, upload_template
from fabric.contrib.project import rsync_project, upload_project

T = os.environ["FAB_THERE"]
PORT = os.environ["FAB_HOSTS"].split(",")[0].rsplit(":", 1)[1]


def questions():
    run("touch %s/f; ln -s f %s/link; printf 'a.b\\nc$d\\n' > %s/text" % (T, T, T))
    print(exists(T + "/f"), exists(T + "/none"))
    print(is_link(T + "/link"), is_link(T + "/f"))
    print(first(T + "/none", T + "/f", T + "/link"))
    text = T + "/text"
    print(
        contains(text, "a.b"), contains(text, "aXb"), contains(text, "a", exact=True), contains(text, "a.b", exact=True)
    )
    print(
        contains(text, "c$d"),
        contains(text, "A.B"),
        contains(text, "A.B", case_sensitive=False),
        contains(text, "^a", escape=False),
    )


def changes():
    conf = T + "/conf"
    run("printf 'port 80\\nhost a\\n#user x\\n  # deep y\\n' > %s" % conf)
    sed(conf, "port 80", "port 8080")
    sed(conf, "host (a)", "host \\1/b", backup="", flags="i")
    sed(conf, "x", "z", limit="user")
    comment(conf, "^host")
    comment(conf, "port.*$", char="# ", backup=".2")
    uncomment(conf, "user")
    append(conf, 'added it\'s "here" $x')
    append(conf, ['added it\'s "here" $x', "second"])
    append(conf, "sec", partial=True)
    with hide("running"):
        print(run("cat %s" % conf))


def templates():
    with open("plain.tpl", "w") as file:
        file.write("name=%(name)s\n")
    upload_template("plain.tpl", T + "/plain", {"name": "n&m"})
    upload_template("plain.tpl", T + "/plain", {"name": "again"}, mode=0o600)
    upload_template("plain.tpl", T, {"name": "into"}, backup=False)


def jinja():
    with open("jinja.tpl", "w") as file:
        file.write("{% for x in xs %}<{{ x }}>{% endfor %}\n")
    upload_template("jinja.tpl", T + "/jinja", {"xs": ["1", "<2>"]}, use_jinja=True)
    upload_template(
        "jinja.tpl", T + "/jinja2", {"xs": []}, use_jinja=True, keep_trailing_newline=True, mirror_local_mode=True
    )


def projects():
    os.makedirs("proj/sub")
    for name in ("proj/a", "proj/sub/b", "proj/skip.pyc"):
        open(name, "w").close()
        os.utime(name, (1, 1))
    os.utime("proj", (1, 1))
    os.utime("proj/sub", (1, 1))
    ssh = "-o UserKnownHostsFile=%s/.ssh/known_hosts" % os.environ["HOME"]
    env.key_filename = os.environ["HOME"] + "/.ssh/id_ed25519"
    rsync_project(T, "proj", exclude=["*.pyc"], default_opts="-rt", ssh_opts=ssh)
    rsync_project(
        T + "/all", "proj/", delete=True, default_opts="-rt", ssh_opts=ssh, extra_opts="--quiet", capture=True
    )
    upload_project("proj", T + "/all")

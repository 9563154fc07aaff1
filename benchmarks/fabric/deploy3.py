"""A deployment in twenty steps, as one writes it for Fabric 3."""

import os

from fabric import task


@task
def deploy(c):
    # All hosts are one machine.
    top = f"{os.environ['DEPLOY_THERE']}/{c.host}"
    release = f"{top}/releases/2"
    c.run("uname -s")
    c.run("id -u")
    c.run(f"mkdir -p {top}/releases/1 {top}/shared {release}")
    c.put(os.environ["DEPLOY_FILE"], f"{release}/settings.ini")
    with c.cd(release):
        c.run("test -f settings.ini")
        c.run("cp settings.ini settings.bak")
        c.run("cksum settings.ini settings.bak")
        c.run("mkdir -p static/css static/js")
        c.run("touch static/css/site.css static/js/site.js")
        c.run("echo 2 > VERSION")
        c.run("cat VERSION")
        c.run("ls -l static")
        c.run(f"ln -sfn {top}/shared shared")
        c.run("chmod 640 settings.ini")
    with c.cd(top):
        c.run("ln -sfn releases/2 current")
        c.run("readlink current")
        c.run("test -d current/static")
        c.run("ls releases")
        c.run("rm -rf releases/1")
    c.run(f"echo deployed >> {top}/shared/log")

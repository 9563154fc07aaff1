"""A deployment in twenty steps, as one writes it for Fabric 1."""

import os

from fabric.api import cd, env, put, run, task


@task
def deploy():
    # All hosts are one machine.
    top = f"{os.environ['DEPLOY_THERE']}/{env.host}"
    release = f"{top}/releases/2"
    run("uname -s")
    run("id -u")
    run(f"mkdir -p {top}/releases/1 {top}/shared {release}")
    put(os.environ["DEPLOY_FILE"], f"{release}/settings.ini")
    with cd(release):
        run("test -f settings.ini")
        run("cp settings.ini settings.bak")
        run("cksum settings.ini settings.bak")
        run("mkdir -p static/css static/js")
        run("touch static/css/site.css static/js/site.js")
        run("echo 2 > VERSION")
        run("cat VERSION")
        run("ls -l static")
        run(f"ln -sfn {top}/shared shared")
        run("chmod 640 settings.ini")
    with cd(top):
        run("ln -sfn releases/2 current")
        run("readlink current")
        run("test -d current/static")
        run("ls releases")
        run("rm -rf releases/1")
    run(f"echo deployed >> {top}/shared/log")

"""Tasks for hosts, as Fabric 3 has them: elsewhere fab -H web1,web2 deploy --version v2. See docs/fabric.md."""

from fabric import task


@task
def uptime(c):
    """How long a host has been up."""
    c.run("uptime")


@task
def deploy(c, version="v1"):
    """Write down which version is there, and show it."""
    c.run(f"echo {version} > version.txt")
    c.run("cat version.txt")

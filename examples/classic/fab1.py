"""Two tasks of Fabric 1: `fab -f fab1.py host_type greet:Ada`. See docs/classic.md."""

from fabric.api import env, run

env.hosts = ["web1", "web2"]
env.use_ssh_config = True  # who is meant by these names stands in ~/.ssh/config


def host_type():
    run("uname -s")


def greet(name):
    run(f"echo hello, {name}")

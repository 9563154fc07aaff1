"""What most task files import: ``from fabric.api import *``."""

from elsewhere.fabric.v1.context_managers import (
    cd,
    hide,
    lcd,
    path,
    prefix,
    quiet,
    remote_tunnel,
    settings,
    shell_env,
    show,
    warn_only,
)
from elsewhere.fabric.v1.decorators import hosts, parallel, roles, runs_once, serial, task, with_settings
from elsewhere.fabric.v1.operations import get, local, open_shell, prompt, put, reboot, require, run, sudo
from elsewhere.fabric.v1.state import env, output
from elsewhere.fabric.v1.tasks import execute
from elsewhere.fabric.v1.utils import abort, fastprint, puts, warn

__all__ = [
    "abort", "cd", "env", "execute", "fastprint", "get", "hide", "hosts", "lcd", "local", "open_shell", "output",
    "parallel", "path", "prefix", "prompt", "put", "puts", "quiet", "reboot", "remote_tunnel", "require", "roles",
    "run", "runs_once", "serial", "settings", "shell_env", "show", "sudo", "task", "warn", "warn_only",
    "with_settings",
]  # fmt: skip

"""What ``env`` and ``output`` hold before anybody has said anything, as Fabric 1.15 documents it."""

from __future__ import annotations

import getpass
import os
from typing import Any

from elsewhere.fabric.v1.state.local import AliasDict
from elsewhere.fabric.v1.version import VERSION

__all__ = ["OUTPUT", "OUTPUT_ALIASES", "PORT", "env_defaults"]

PORT = "22"

# What the output of each group is, and the names for several of them at once.
OUTPUT = {
    "status": True,
    "aborts": True,
    "warnings": True,
    "running": True,
    "stdout": True,
    "stderr": True,
    "exceptions": False,
    "debug": False,
    "user": True,
}
OUTPUT_ALIASES = {
    "everything": ["warnings", "running", "user", "output", "exceptions"],
    "output": ["stdout", "stderr"],
    "commands": ["stdout", "running"],
}


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return None


def env_defaults() -> dict[str, Any]:
    """A new one. Keys of command-line options have the option's default."""
    user = _user()
    config = os.path.join(os.path.expanduser("~"), ".ssh", "config")
    return {
        **_options(user, config),
        "abort_exception": None,
        "again_prompt": "Sorry, try again.",
        "all_hosts": [],
        "combine_stderr": True,
        "command": None,
        "command_prefixes": [],
        "cwd": "",
        "dedupe_hosts": True,
        "default_port": PORT,
        "echo_stdin": True,
        "effective_roles": [],
        "host": None,
        "host_string": None,
        "lcwd": "",
        "local_user": user,
        "ok_ret_codes": [0],
        "output_prefix": True,
        "passwords": {},
        "path": "",
        "path_behavior": "append",
        "prompts": {},
        "real_fabfile": None,
        "remote_interrupt": None,
        "roledefs": {},
        "shell_env": {},
        "sudo_passwords": {},
        "sudo_prefix": "sudo -S -p '%(sudo_prompt)s' ",
        "sudo_prompt": "sudo password:",
        "sudo_user": None,
        "tasks": [],
        "use_exceptions_for": AliasDict({"network": False}, {"everything": ["network"]}),
        "use_shell": True,
        "use_ssh_config": False,
        "version": VERSION,
    }


def _options(user: str | None, config: str) -> dict[str, Any]:
    """Those that the command line has options for."""
    return {
        "abort_on_prompts": False,
        "accept_new": False,
        "always_use_pty": True,
        "colorize_errors": False,
        "command_timeout": None,
        "connection_attempts": 1,
        "disable_known_hosts": False,
        "eagerly_disconnect": False,
        "exclude_hosts": [],
        "fabfile": "fabfile",
        "forward_agent": False,
        "gateway": None,
        "gss_auth": None,
        "gss_deleg": None,
        "gss_kex": None,
        "hide": None,
        "hosts": [],
        "keepalive": 0,
        "key_filename": None,
        "linewise": False,
        "no_agent": False,
        "no_keys": False,
        "parallel": False,
        "password": None,
        "pool_size": 0,
        "port": PORT,
        "rcfile": os.path.expanduser("~/.fabricrc"),
        "reject_unknown_hosts": False,
        "roles": [],
        "shell": "/bin/bash -l -c",
        "show": None,
        "skip_bad_hosts": False,
        "skip_unknown_tasks": False,
        "ssh_config_path": config,
        "sudo_password": None,
        "system_known_hosts": None,
        "timeout": 10,
        "user": user,
        "warn_only": False,
    }

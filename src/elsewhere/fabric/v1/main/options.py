"""The options of the command line. Those of `SETTINGS` are keys of ``env`` too."""

from __future__ import annotations

import os
from optparse import OptionParser, Values
from typing import Any

from elsewhere.fabric.v1.state.defaults import env_defaults

__all__ = ["SETTINGS", "Parsed", "parse", "settings_of_file"]

USAGE = "fab [options] <command>[:arg1,arg2=val2,host=foo,hosts='h1;h2',...] ..."

# Names, what it takes (a type, or True for nothing), its key in env, and what it is.
SETTINGS: list[tuple[tuple[str, ...], Any, str, str]] = [
    (("-a", "--no_agent"), True, "no_agent", "do not ask the SSH agent"),
    (("-A", "--forward-agent"), True, "forward_agent", "let hosts use the agent here"),
    (("--abort-on-prompts",), True, "abort_on_prompts", "give up where something would be asked"),
    (("--accept-new",), True, "accept_new", "believe the keys of unknown hosts, and remember them"),
    (("-c", "--config"), "PATH", "rcfile", "file of settings, instead of ~/.fabricrc"),
    (("--colorize-errors",), True, "colorize_errors", "show errors in colours"),
    (("-D", "--disable-known-hosts"), True, "disable_known_hosts", "as --accept-new, with a warning"),
    (("-e", "--eagerly-disconnect"), True, "eagerly_disconnect", "disconnect from each host at once"),
    (("-f", "--fabfile"), "PATH", "fabfile", "the task file"),
    (("-g", "--gateway"), "HOST", "gateway", "the host that others are reached through"),
    (("--gss-auth",), True, "gss_auth", "refused: GSSAPI is not offered"),
    (("--gss-deleg",), True, "gss_deleg", "refused: GSSAPI is not offered"),
    (("--gss-kex",), True, "gss_kex", "refused: GSSAPI is not offered"),
    (("--hide",), "LEVELS", "hide", "groups of output that are hidden, with commas between them"),
    (("-H", "--hosts"), "HOSTS", "hosts", "where, with commas between them"),
    (("-i",), "PATH", "key_filename", "a file with a private key; more than once for more"),
    (("-k", "--no-keys"), True, "no_keys", "do not use the keys in ~/.ssh"),
    (("--keepalive",), int, "keepalive", "seconds between two looks whether hosts are still there"),
    (("--linewise",), True, "linewise", "show whole lines only"),
    (("-n", "--connection-attempts"), int, "connection_attempts", "how often to try to connect"),
    (("--no-pty",), False, "always_use_pty", "give commands no terminal"),
    (("-p", "--password"), "PASSWORD", "password", "of logins and of sudo; others see it on the command line"),
    (("-P", "--parallel"), True, "parallel", "hosts side by side"),
    (("--port",), "PORT", "port", "of SSH"),
    (("-r", "--reject-unknown-hosts"), True, "reject_unknown_hosts", "that is so anyway"),
    (("--sudo-password",), "PASSWORD", "sudo_password", "of sudo alone"),
    (("--system-known-hosts",), "PATH", "system_known_hosts", "a further file of known hosts"),
    (("-R", "--roles"), "ROLES", "roles", "where, as names of env.roledefs with commas between them"),
    (("-s", "--shell"), "SHELL", "shell", "what commands are given to; /bin/bash -l -c"),
    (("--show",), "LEVELS", "show", "groups of output that are shown, with commas between them"),
    (("--skip-bad-hosts",), True, "skip_bad_hosts", "warn of hosts that cannot be reached"),
    (("--skip-unknown-tasks",), True, "skip_unknown_tasks", "warn of tasks that are not there"),
    (("--ssh-config-path",), "PATH", "ssh_config_path", "instead of ~/.ssh/config"),
    (("-t", "--timeout"), int, "timeout", "seconds to connect"),
    (("-T", "--command-timeout"), int, "command_timeout", "seconds that a command may take"),
    (("-u", "--user"), "USER", "user", "who logs in"),
    (("-w", "--warn-only"), True, "warn_only", "warn where a command fails, and go on"),
    (("-x", "--exclude-hosts"), "HOSTS", "exclude_hosts", "where not, with commas between them"),
    (("-z", "--pool-size", "--jobs"), int, "pool_size", "how many hosts at once, with -P"),
]
FORMATS = ("short", "normal", "nested")


class Parsed:
    """The command line in parts.

    Attributes:
        options: what was said.
        tasks: the texts that name tasks.
        remainder: what stands behind ``--``.
        parser: for its help.
    """

    def __init__(self, parser: OptionParser, options: Values, tasks: list[str], remainder: list[str]) -> None:
        self.parser, self.options, self.tasks, self.remainder = parser, options, tasks, remainder


def parse(arguments: list[str]) -> Parsed:
    """The command line; exits with status 2 where it is wrong, and with 0 after ``--help``."""
    parser = _parser()
    # What comes behind a lone -- is no option and no task: optparse would mix it with the tasks.
    at = arguments.index("--") if "--" in arguments else len(arguments)
    options, tasks = parser.parse_args(arguments[:at])
    for name in ("gss_auth", "gss_deleg", "gss_kex"):
        if getattr(options, name):
            parser.error(f"--{name.replace('_', '-')}: GSSAPI is not offered here; keys, agents and passwords are")
    return Parsed(parser, options, tasks, arguments[at + 1 :])


def _parser() -> OptionParser:
    parser = OptionParser(usage=USAGE, prog="fab")
    parser.add_option("-d", "--display", metavar="NAME", help="print what is known of a task")
    parser.add_option(
        "-F", "--list-format", choices=FORMATS, default="normal", metavar="FORMAT",
        help=f"of --list: {', '.join(FORMATS)}",
    )  # fmt: skip
    parser.add_option("-I", "--initial-password-prompt", action="store_true", default=False, help="ask for it first")
    parser.add_option("--initial-sudo-password-prompt", action="store_true", default=False, help="ask for sudo's first")
    parser.add_option("-l", "--list", action="store_true", dest="list_commands", default=False, help="print the tasks")
    parser.add_option("--set", metavar="KEY=VALUE,...", dest="env_settings", default="", help="values for env")
    parser.add_option("--shortlist", action="store_true", default=False, help="as -F short --list")
    parser.add_option("-V", "--version", action="store_true", dest="show_version", default=False, help="print it")
    parser.add_option("--dialect", metavar="1|3", help="how the task file is to be understood; it tells by itself")
    defaults = env_defaults()
    for names, takes, key, text in SETTINGS:
        more: dict[str, Any] = {"dest": key, "default": defaults[key], "help": text}
        if isinstance(takes, bool):
            more["action"] = "store_true" if takes else "store_false"
        elif takes is int:
            more.update(type="int", metavar="N")
        else:
            more.update(metavar=takes, action="append" if names == ("-i",) else "store")
        parser.add_option(*names, **more)
    return parser


def settings_of_file(path: str) -> dict[str, str]:
    """What a file of ``key = value`` lines says; nothing where there is none."""
    path = os.path.expanduser(path)
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        lines = [line.partition("=") for line in file if line.strip() and not line.startswith("#")]
    return {key.strip(): value.strip() for key, _, value in lines}

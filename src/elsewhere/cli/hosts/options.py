"""The options of the verbs of hosts: which hosts, how they are reached, as whom. Spelled once, like all."""

from __future__ import annotations

from typing import Any

import click

from elsewhere.cli.completion.candidates import hosts
from elsewhere.cli.options import TABLE, Decorator, Row, row, seconds, taken

__all__ = ["CHOOSING", "HOSTS", "JOBS", "OF_HOSTS", "REACHING", "host_options"]

JOBS = 50  # hosts at once, where nothing else is said; as `Fleet` has it


def _bounded(text: str) -> float:
    """Seconds that have an end: who waits for a host for ever is never told that it is gone."""
    number = seconds(text)
    if number is None:
        raise click.BadParameter(f"{text} is no time after which a host is given up.")
    return number


CHOOSING: dict[str, Row] = {
    "hosts": row(
        "-H", "--hosts", multiple=True, metavar="HOSTS", shell_complete=hosts,
        help="web1,web2; web[01-20]; lines of @FILE, or of stdin: @-.",
    ),
    "groups": row(
        "-g", "--group", "groups", multiple=True, metavar="GROUP", help="A group of the inventory; all of it is -g all."
    ),
    "exclude": row(
        "-x", "--exclude", multiple=True, metavar="HOSTS", shell_complete=hosts,
        help="Not these hosts, ranges or groups.",
    ),
    "files": row(
        "-i", "files", multiple=True, type=click.Path(), metavar="FILE",
        help="A private key to log in with, or the inventory.",
    ),
    "inventory": row(
        "--inventory", type=click.Path(), metavar="FILE",
        help="Hosts and groups: a plain list, Ansible's INI, or a program that prints them as JSON.",
    ),
    "identities": row(
        "--identity", "identities", multiple=True, type=click.Path(), metavar="FILE",
        help="A private key to log in with.",
    ),
}  # fmt: skip

REACHING: dict[str, Row] = {
    "user": row("-u", "--user", metavar="NAME", help="Who logs in, where the host's name does not say it."),
    "port": row(
        "-p", "--port", type=click.IntRange(1, 65535), metavar="N", help="Where sshd listens, if nothing else says it."
    ),
    "jump": row(
        "-J", "--jump", metavar="HOSTS", shell_complete=hosts,
        help="Hosts on the way, the first one first, with commas.",
    ),
    "accept_new": row(
        "--accept-new", is_flag=True, help="Believe the keys of hosts that are not known yet, and remember them."
    ),
    "connect_timeout": row(
        "--connect-timeout", type=_bounded, metavar="SECONDS", help="For the whole way up to the login; 10."
    ),
}  # fmt: skip

SUDO: dict[str, Row] = {
    "sudo": row("--sudo", is_flag=True, help="As root, by sudo; a password is asked for once."),
    "sudo_user": row("--sudo-user", metavar="NAME", help="... as that user."),
    "sudo_group": row("--sudo-group", metavar="NAME", help="... with that group."),
    "sudo_password_file": row(
        "--sudo-password-file", type=click.Path(), metavar="FILE",
        help="The password is FILE's first line; else ELSEWHERE_SUDO_PASSWORD.",
    ),
}  # fmt: skip

COPIES: dict[str, Row] = {
    "mode": row("--mode", metavar="OCTAL", help="Of the copies, such as 644; as of what is copied by default."),
    "checksum": row("--checksum", is_flag=True, help="Compare what is in files of one size, not their times."),
    "delete": row("--delete", is_flag=True, help="Mirror folders: at the end, remove what is only in TO."),
}

# What is not the same of hosts as of calls: the default, and what may be tried again without harm.
OF_HOSTS: dict[str, dict[str, Any]] = {
    "jobs": {"help": f"How many hosts at once; {JOBS}."},
    "retries": {"help": "Try up to N times more to reach a host; what has begun is not repeated."},
    "text": {"default": False},
}

HOSTS: dict[str, Row] = {**CHOOSING, **REACHING, **SUDO, **TABLE}
PARTS = {"CHOOSING": [*CHOOSING], "REACHING": [*REACHING], "SUDO": [*SUDO], "COPIES": [*COPIES]}


def host_options(*names: str) -> Decorator:
    """The options of these names, in this order; `PARTS` stand for all of theirs."""
    every: list[str] = []
    for name in names:
        every += PARTS.get(name, [name])
    return taken({**HOSTS, **COPIES}, tuple(every), OF_HOSTS)

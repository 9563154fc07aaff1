"""The options of the verbs of hosts: which hosts, how they are reached, as whom. Spelled once, like all."""

from __future__ import annotations

from typing import Any

import click

from elsewhere.cli.options import TABLE, Decorator, Row, row, seconds, taken

__all__ = ["COPYING", "HOSTS", "JOBS", "host_options"]

JOBS = 50  # hosts at once, where nothing else is said; as `Fleet` has it


def _bounded(text: str) -> float:
    """Seconds that have an end: who waits for a host for ever is never told that it is gone."""
    number = seconds(text)
    if number is None:
        raise click.BadParameter(f"{text} is no time after which a host is given up.")
    return number


CHOOSING: dict[str, Row] = {
    "hosts": row(
        "-H", "--hosts", multiple=True, metavar="HOSTS",
        help="Names with commas, ranges (web[01-20]), @FILE for a file's lines, @- for stdin's; may be repeated.",
    ),
    "groups": row(
        "-g", "--group", "groups", multiple=True, metavar="GROUP", help="Hosts of a group of the inventory; may be "
        "repeated. All of them: -g all.",
    ),
    "exclude": row(
        "-x", "--exclude", multiple=True, metavar="HOSTS", help="Not these hosts, ranges or groups; may be repeated."
    ),
    "files": row(
        "-i", "files", multiple=True, metavar="FILE",
        help="A private key is the identity to log in with; any other file is the inventory; may be repeated.",
    ),
    "inventory": row(
        "--inventory", metavar="FILE",
        help="Hosts and groups: a plain list, Ansible's INI, or a program that prints them as JSON.",
    ),
    "identities": row(
        "--identity", "identities", multiple=True, metavar="FILE", help="A private key to log in with; may be repeated."
    ),
}  # fmt: skip

REACHING: dict[str, Row] = {
    "user": row("-u", "--user", metavar="NAME", help="Who logs in, where the host's name does not say it."),
    "port": row(
        "-p", "--port", type=click.IntRange(1, 65535), metavar="N", help="Where sshd listens, if nothing else says it."
    ),
    "jump": row("-J", "--jump", metavar="HOSTS", help="Hosts on the way, the first one first, with commas."),
    "accept_new": row(
        "--accept-new", is_flag=True, help="Believe the keys of hosts that are not known yet, and remember them."
    ),
    "connect_timeout": row(
        "--connect-timeout", type=_bounded, metavar="SECONDS", help="For the whole way up to the login; 10."
    ),
}  # fmt: skip

SUDO: dict[str, Row] = {
    "sudo": row("--sudo", is_flag=True, help="As root, by sudo. A password is asked for once, if it is needed."),
    "sudo_user": row("--sudo-user", metavar="NAME", help="... as that user."),
    "sudo_group": row("--sudo-group", metavar="NAME", help="... with that group."),
    "sudo_password_file": row(
        "--sudo-password-file", metavar="FILE", help="The password is FILE's first line; else ELSEWHERE_SUDO_PASSWORD."
    ),
}  # fmt: skip

COPIES: dict[str, Row] = {
    "mode": row("--mode", metavar="OCTAL", help="Of the copies, such as 644; as of what is copied by default."),
    "checksum": row("--checksum", is_flag=True, help="Compare files of the same size by what is in them, not by time."),
    "delete": row(
        "--delete", is_flag=True, help="Mirror folders: remove what is in the copy only, when all else is done."
    ),
}
COPYING: dict[str, str | dict[str, Any]] = {
    "timeout": "End a copy that takes longer.",
    "output": "Append a row for each host to FILE, instead of saying what was copied.",
    "text": {"default": False, "help": "A JSON line for each host, or a line of words (the default)."},
}

HOSTS: dict[str, Row] = {**CHOOSING, **REACHING, **SUDO, **TABLE}
WORDS: dict[str, str | dict[str, Any]] = {
    "jobs": f"How many hosts at once; {JOBS}.",
    "output": "Append a row for each host to FILE, instead of printing what it says.",
    "resume": "Go on with an existing FILE: the hosts that have no row yet.",
    "max_failures": "Touch no further host after N have failed; never by default.",
    "timeout": "End what runs longer on a host, there too.",
    "retries": "Repeat up to N times what has certainly not begun, as the host was not reached.",
    "text": {"default": False, "help": "A JSON line for each host, or what it says (the default)."},
    "dry_run": "Say what would be done where, and connect to none.",
}

PARTS = {"CHOOSING": [*CHOOSING], "REACHING": [*REACHING], "SUDO": [*SUDO], "COPIES": [*COPIES]}


def host_options(*names: str, **changes: str | dict[str, Any]) -> Decorator:
    """The options of these names, in this order; `PARTS` stand for all of theirs."""
    every: list[str] = []
    for name in names:
        every += PARTS.get(name, [name])
    return taken({**HOSTS, **COPIES}, tuple(every), {**WORDS, **changes})

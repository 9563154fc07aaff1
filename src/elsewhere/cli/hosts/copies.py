"""What the verbs of copies, ``put`` and ``get``, have in common: their command line, and what it says of a copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from elsewhere.cli.completion.candidates import files
from elsewhere.cli.ending import WrongUsage
from elsewhere.cli.help import Verb
from elsewhere.cli.hosts.common import as_whom
from elsewhere.cli.hosts.options import host_options

__all__ = ["copying", "in_a_line", "options_of_copies"]

CODES = """
Exit code: 0 all well, 1 some failed (of one host: 124 timed out, 255 not reached), 2 wrong usage; 130, 143, 129 after
Ctrl-C, SIGTERM, SIGHUP.
"""
FIRST = (
    "hosts", "groups", "exclude", "files", "user", "sudo", "mode", "checksum", "delete", "jobs", "timeout",
    "max_failures", "output", "resume", "as_json", "dry_run", "quiet",
)  # fmt: skip


def copying(
    name: str,
    *,
    help: str,  # noqa: A002 - the name that click has for it
    more: str,
    examples: Sequence[str],
) -> Callable[[Callable[..., int]], click.Command]:
    """Make a verb of a function: ``elsewhere NAME SOURCE... TO``, with all options of copies.

    Args:
        name: of the verb.
        help, more, examples: as `Verb` takes them; `more` is followed by the exit codes.
    """

    def verb(function: Callable[..., int]) -> click.Command:
        function = click.pass_context(function)
        for options in (
            host_options("text", "dry_run", "quiet"),
            host_options("jobs", "timeout", "retries", "max_failures", "output", "resume", "retry_failed", "overwrite"),
            host_options("CHOOSING", "REACHING", "SUDO", "COPIES"),
            click.argument("to", shell_complete=files),
            click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=files),
        ):
            function = options(function)
        command = click.command(name, cls=Verb, help=help, more=more + CODES, examples=examples, first=FIRST)
        return command(function)

    return verb


def in_a_line(given: Mapping[str, Any]) -> str:
    """What is copied where, and as whom."""
    whom = as_whom(given)
    return f"{' '.join(given['sources'])} to {given['to']}" + (f" ({whom})" if whom else "")


def options_of_copies(given: Mapping[str, Any]) -> dict[str, Any]:
    """What both `Fleet.put` and `Fleet.get` are given.

    Raises:
        WrongUsage: see `_octal`; and a group, which copies have from their user.
    """
    return {
        "mode": _octal(given["mode"]), "checksum": given["checksum"], "delete": given["delete"],
        "timeout": given["timeout"], **_sudo_of_copies(given),
    }  # fmt: skip


def _sudo_of_copies(given: Mapping[str, Any]) -> dict[str, Any]:
    """... of sudo; empty without it.

    Raises:
        WrongUsage: a group, which copies have from their user.
    """
    if not as_whom(given):
        return {}
    if given["sudo_group"]:
        raise WrongUsage("--sudo-group is about commands: what --sudo copies has the group of its user.")
    return {"sudo": given["sudo_user"] or True, "sudo_password_file": given["sudo_password_file"]}


def _octal(text: str | None) -> int | None:
    """A mode as chmod(1) takes it in digits.

    Raises:
        WrongUsage: it is none.
    """
    if text is None:
        return None
    try:
        mode = int(text.removeprefix("0o"), 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise WrongUsage(f"--mode is a number in octal digits such as 644 or 0755, not {text!r}.")
    return mode

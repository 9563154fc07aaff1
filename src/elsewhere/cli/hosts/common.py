"""What the verbs of hosts do with their options before any work: one way from the command line to a `Plan`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import click

from elsewhere.cli.batch.destination import Wish
from elsewhere.cli.ending import ReaderGone, WrongUsage
from elsewhere.cli.group import Invocation
from elsewhere.cli.hosts.again import resumed, with_hosts
from elsewhere.cli.hosts.chosen import choose_hosts
from elsewhere.cli.hosts.doing.work import Do, Plan, Work
from elsewhere.cli.hosts.options import JOBS

__all__ = ["as_whom", "carry_out", "stdin_of", "sudo_options"]


def carry_out(
    ctx: click.Context,
    given: dict[str, Any],
    *,
    what: str,
    do: Do,
    says: Mapping[str, str],
    allows: Callable[[int], None] | None = None,
) -> int:
    """Choose the hosts and do it, or say what would be done.

    Args:
        ctx: of the verb.
        given: its options.
        what: is done, in a line, without secrets.
        do: the verb of a fleet.
        says: further lines of a dry run, by their headings.
        allows: raises where it cannot be done on so many hosts.

    Returns:
        The exit code.
    """
    invocation = ctx.find_object(Invocation)
    assert invocation is not None
    plan = _plan(ctx, invocation, given, what, do)
    if allows is not None:
        allows(len(plan.hosts))
    work = Work(plan, invocation.signals)
    try:
        if not given["dry_run"]:
            return work.run()
        click.echo("\n".join(work.describe(says)))
        return 0
    except BrokenPipeError:  # click would make an exit code of its own of it
        raise ReaderGone from None


def _plan(ctx: click.Context, invocation: Invocation, given: dict[str, Any], what: str, do: Do) -> Plan:
    if given.get("grouped") and given["as_json"]:
        raise WrongUsage("--grouped and --json are two ways to show the same: one of them has to go.")
    wish = Wish(**{name: given[name] for name in ("output", "resume", "retry_failed", "overwrite")})
    if wish.output is not None and (given.get("grouped") or given["as_json"]):
        raise WrongUsage("--output writes rows to a file instead of showing anything: --json and --grouped have to go.")
    verb, program = ctx.command.name or "", ctx.find_root().info_name or "elsewhere"

    def again(can_resume: bool, left: Sequence[str]) -> str:
        if can_resume:
            also = "  (with the same list on stdin)" if _names_stdin(given) else _input(given)
            return resumed(program, invocation.args, ctx.command) + also
        return with_hosts(program, invocation.args, ctx.command, left) + _input(given)

    return Plan(
        verb=verb,
        what=what,
        hosts=choose_hosts(given),
        do=do,
        again=again,
        wish=wish,
        jobs=given["jobs"] or JOBS,
        max_failures=given["max_failures"],
        retries=given["retries"],
        style=_style(verb, given),
        quiet=given["quiet"],
        passes=bool(given.get("pty")),
    )


def _names_stdin(given: Mapping[str, Any]) -> bool:
    """Do hosts come from stdin?"""
    return any(part.strip() == "@-" for text in (*given["hosts"], *given["exclude"]) for part in text.split(","))


def _input(given: Mapping[str, Any]) -> str:
    uses = given.get("passes_stdin") or "-" in given.get("sources", ())
    return "  (with the same input on stdin)" if uses else ""


def _style(verb: str, given: Mapping[str, Any]) -> str:
    if given["as_json"]:
        return "json"
    if verb != "run":
        return "silent" if verb == "get" and given["to"] == "-" else "told"
    return "told" if given["detach"] else "grouped" if given["grouped"] else "live"


def as_whom(given: Mapping[str, Any]) -> str:
    """``"as root"``, ``"as www, group web"``; "" without sudo.

    Raises:
        WrongUsage: a file of a password, and nothing that needs it.
    """
    if not _uses_sudo(given):
        if given["sudo_password_file"] is not None:
            raise WrongUsage("--sudo-password-file is about --sudo: give that, too.")
        return ""
    group = f", group {given['sudo_group']}" if given["sudo_group"] else ""
    return f"as {given['sudo_user'] or 'root'}{group}"


def _uses_sudo(given: Mapping[str, Any]) -> bool:
    return bool(given["sudo"] or given["sudo_user"] or given["sudo_group"])


def sudo_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """What `Fleet.sudo` is given of it; empty without sudo."""
    if not as_whom(given):
        return {}
    return {
        "user": given["sudo_user"],
        "group": given["sudo_group"],
        "sudo_password_file": given["sudo_password_file"],
    }


def stdin_of(given: Mapping[str, Any], what: str) -> BinaryIO:
    """Our stdin.

    Raises:
        WrongUsage: it is closed, or a list of hosts as well.
    """
    if _names_stdin(given):
        raise WrongUsage(f"stdin cannot be both a list of hosts (@-) and {what}.")
    if sys.stdin is None:
        raise WrongUsage(f"stdin, which is to be {what}, is closed.")
    return sys.stdin.buffer

"""``elsewhere run --pty`` for who sits at a terminal, which is the far side's meanwhile, as with ``ssh -t``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from elsewhere.cli.ending import Problem, say
from elsewhere.cli.hosts.chosen import choose_hosts
from elsewhere.cli.hosts.doing.endings import code_of
from elsewhere.cli.hosts.doing.rows import is_terminal
from elsewhere.cli.hosts.doing.words import in_words
from elsewhere.errors import ElsewhereError
from elsewhere.sansio.hosts.many.plain import plain

__all__ = ["hand_over", "is_for_who_sits_here"]

# With any of these it is a command that is run for its output, though with a terminal.
OTHERWISE = (
    "dry_run", "passes_stdin", "detach", "grouped", "as_json", "output", "env", "cwd", "timeout",
    "sudo", "sudo_user", "sudo_group",
)  # fmt: skip


def is_for_who_sits_here(given: Mapping[str, Any]) -> bool:
    """Is there somebody who types and looks, and nothing said that speaks against it?"""
    return given["pty"] and not any(given[name] for name in OTHERWISE) and is_terminal(0) and is_terminal(1)


def hand_over(given: dict[str, Any], command: str | list[str] | None) -> int | None:
    """Let the terminal be that of a command there, or of a shell.

    Returns:
        The exit code; None where several hosts are meant, who cannot share one terminal.

    Raises:
        Problem: there is no terminal, after all.
    """
    hosts = choose_hosts(given)
    if len(hosts) > 1:
        return None
    with hosts[0] as host:
        try:
            return code_of(host.shell(shlex.join(command) if isinstance(command, list) else command))
        except ElsewhereError as error:
            say(f"elsewhere: {plain(' '.join(in_words(error).split()))}")
            return code_of(error)
        except OSError as error:
            raise Problem(in_words(error.strerror or error)) from None

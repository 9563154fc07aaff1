"""The command that goes on with a run that has ended early, to be pasted. Everything here is a pure function.

Where there are rows it is the same command with ``--resume``. Where there are none, it is the same command with the
hosts that are left instead of those that were chosen; what says how they are reached stays.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

import click

from elsewhere.sansio.hosts.many.folding import fold

__all__ = ["resumed", "with_hosts", "without"]

CHOOSE = ("hosts", "groups", "exclude")
ROWS = ("resume", "overwrite", "retry_failed")


def resumed(program: str, args: Sequence[str], command: click.Command) -> str:
    """The same with ``--resume``, whatever it began with.

    Args:
        program: how we are called.
        args: as they were typed, from the verb on.
        command: the verb's, which knows its options.
    """
    verb, *others = args
    return shlex.join([*program.split(), verb, "--resume", *without(others, command, ROWS)])


def with_hosts(program: str, args: Sequence[str], command: click.Command, hosts: Iterable[str]) -> str:
    """The same for these hosts; see `resumed`."""
    verb, *others = args
    return shlex.join([*program.split(), verb, "-H", fold(hosts), *without(others, command, CHOOSE)])


def without(args: Sequence[str], command: click.Command, names: Iterable[str]) -> list[str]:
    """The arguments without the options of these names and their values.

    Args:
        args: as they were typed, behind the verb. What follows ``--`` stays, and so does what follows the first
            argument that is no option, if the command reads them so.
        command: the verb's.
        names: of its parameters.
    """
    options = {spelled: each for each in command.params if isinstance(each, click.Option) for spelled in each.opts}
    drop = set(names)
    anywhere = command.context_settings.get("allow_interspersed_args", True)
    kept: list[str] = []
    rest = list(args)
    while rest:
        arg = rest.pop(0)
        if arg == "--" or (not arg.startswith("-") and not anywhere):
            return [*kept, arg, *rest]
        if arg == "-" or not arg.startswith("-"):
            kept.append(arg)
        elif arg.startswith("--"):
            option = options.get(arg.partition("=")[0])
            whole = [arg]
            if option is not None and not option.is_flag and "=" not in arg and rest:
                whole.append(rest.pop(0))
            if option is None or option.name not in drop:
                kept += whole
        else:
            kept += _letters(arg, rest, options, drop)
    return kept


def _letters(arg: str, rest: list[str], options: dict[str, click.Option], drop: set[str]) -> list[str]:
    """``-nqH web1`` without what is dropped: letters of flags, then perhaps one whose value follows."""
    flags = ""
    for at, letter in enumerate(arg[1:], 1):
        option = options.get(f"-{letter}")
        dropped = option is not None and option.name in drop
        if option is None or option.is_flag:
            flags += "" if dropped else letter
            continue
        value = [arg[at + 1 :]] if arg[at + 1 :] else [rest.pop(0)] if rest else []
        before = [f"-{flags}"] if flags else []
        return before if dropped else [*before, f"-{letter}", *value]
    return [f"-{flags}"] if flags else []

"""The verb ``fab``: task files of Fabric, whose command line this is from here on."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import click

from elsewhere.cli.ending import Problem, WrongUsage, sentence
from elsewhere.fabric.dialect import OldPython
from elsewhere.fabric.finder import install
from elsewhere.fabric.loading import Missing, dialect_of_file, find

__all__ = ["fab_command"]

NO_FILE = ("--print-completion-script", "--list-agent-keys")  # Fabric 3's alone, and about no task file


class _Plain(click.Command):
    """All that follows is the dialect's to read."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.params["args"] = list(args)
        return []


@click.command("fab", cls=_Plain)
def fab_command(args: list[str]) -> int:
    """Run tasks of a task file of Fabric, whichever of its two dialects that is written in."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    dialect = _forced(args)
    if dialect is None:
        dialect = _told(args)
    return int(_main(dialect)(args))


def _forced(args: list[str]) -> int | None:
    """What ``--dialect`` says; it is taken away."""
    for at, word in enumerate(args):
        if word == "--":
            return None
        name, equals, value = word.partition("=")
        if name == "--dialect":
            given = value if equals else (args[at + 1] if at + 1 < len(args) else "")
            if given not in {"1", "3"}:
                raise WrongUsage(f"--dialect is 1 or 3, not {given!r}.")
            del args[at : at + (1 if equals else 2)]
            return int(given)
    return None


def _told(args: list[str]) -> int:
    """What the task file says; where there is none, it is dialect 1's to say so."""
    if any(word.startswith(NO_FILE) for word in _before_dashes(args)):
        return 3
    if "--complete" in _before_dashes(args):  # the file is named in what is typed
        args = [word for word in args if word != "--"]
    try:
        path = find(_value(args, "-f", "--fabfile")) or _collection(args)
        return 1 if path is None else dialect_of_file(path)
    except Missing as missing:
        raise Problem(sentence(missing)) from None
    except OldPython as old:
        raise Problem(sentence(old)) from None
    except SyntaxError:
        return 1  # importing it shows where, as Python does
    except OSError as error:
        raise Problem(f"{error.filename}: {error.strerror}.") from None


def _before_dashes(args: list[str]) -> list[str]:
    return args[: args.index("--")] if "--" in args else args


def _collection(args: list[str]) -> Path | None:
    """The task file that Fabric 3 calls a collection, if that is what ``-c`` names: in Fabric 1 it names settings."""
    named = _value(args, "-c", "--collection")
    try:
        return None if named is None else find(named)
    except Missing:
        return None


def _value(args: list[str], short: str, long: str) -> str | None:
    """What stands behind an option that both dialects have."""
    for at, word in enumerate(args):
        if word == "--":
            return None
        if word in {short, long}:
            return args[at + 1] if at + 1 < len(args) else None
        if word.startswith(f"{long}="):
            return word.partition("=")[2]
        if word.startswith(short) and not word.startswith("--"):
            return word.removeprefix(short).removeprefix("=")
    return None


def _main(dialect: int) -> Any:
    if dialect == 1:
        from elsewhere.fabric import v1

        install(v1.NAMES, "Fabric 1")
        from elsewhere.fabric.v1.main import main

        return main
    from elsewhere.fabric import v3

    install(v3.NAMES, "Fabric 3")
    from elsewhere.fabric.v3.main import main as main3

    return main3

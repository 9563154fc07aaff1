"""The verbs by name, and the one way a command ends: at most one sentence on stderr, and an exit code.

Every failure that a user can cause is a `Problem` or a `click.ClickException`; what gets past `run` with a traceback
is a bug. Verbs are imported when they are asked for.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from elsewhere.cli.ending import Problem, ReaderGone, Signals, Stopped, WrongUsage
from elsewhere.cli.help import HELP_NAMES, show_examples, versions

__all__ = ["SAYS", "VERBS", "Invocation", "group", "run"]

VERBS = {
    "map": "elsewhere.cli.map:map_command",
    "serve": "elsewhere.cli.serve:serve_command",
    "call": "elsewhere.cli.call:call_command",
    "run": "elsewhere.cli.hosts.run:run_command",
    "put": "elsewhere.cli.hosts.put:put_command",
    "get": "elsewhere.cli.hosts.get:get_command",
    "fab": "elsewhere.cli.fab:fab_command",
    "doctor": "elsewhere.cli.doctor.command:doctor_command",
    "completion": "elsewhere.cli.completion.command:completion_command",
}
SAYS = {  # here, so that the list of verbs and what is typed half need none of them
    "map": "Call a function with many inputs, on every core.",
    "serve": "Serve an object's methods behind an address.",
    "call": "Call a method of a service.",
    "run": "Run a command on hosts.",
    "put": "Copy files to hosts.",
    "get": "Copy files from hosts.",
    "fab": "Run tasks of a Fabric task file.",
    "doctor": "Say what works here, what does not, and what to do.",
    "completion": "Let Tab complete what is typed, in bash, zsh and fish.",
}
COMPLETE = "_ELSEWHERE_COMPLETE"  # the variable by which a shell asks what could follow
EXAMPLES = (
    "elsewhere map work.py:score --from files.txt --output rows.jsonl",
    "elsewhere serve work.py:service --bind tcp://localhost:6789",
    "elsewhere call tcp://localhost:6789 double 21",
    "elsewhere run -H web1,web2 -- uptime",
)


@dataclass(frozen=True)
class Invocation:
    """The command as it was typed, and the signals that may end it: what every verb gets from the group."""

    args: tuple[str, ...]
    signals: Signals


@contextlib.contextmanager
def _reader_may_go() -> Iterator[None]:
    """Before click sees it, which has an exit code of its own for that."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        given = args[0]
        if given not in VERBS and not given.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(given, VERBS, n=1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no verb {given!r}.{guess}", ctx)
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _reader_may_go():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _reader_may_go():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(SAYS.items()))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        show_examples(formatter, EXAMPLES)
        super().format_options(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(verb, help=SAYS[verb]) for verb in VERBS if verb.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    click.echo(versions())
    ctx.exit()


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": HELP_NAMES},
    subcommand_metavar="VERB [ARG]...",
    options_metavar="[OPTION]...",
)
@click.option(
    "-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show versions."
)
def group() -> None:
    """Call Python functions elsewhere: in other processes, on every core, behind an address; look after hosts."""


def run(args: Sequence[str] | None = None, *, leaving: bool = False) -> int:
    """Do what the command line says.

    Args:
        args: the words behind the program's name; the process's own if None.
        leaving: the process ends with it.

    Returns:
        The exit code.
    """
    given = tuple(sys.argv[1:] if args is None else args)
    _stand_in()
    try:
        if COMPLETE in os.environ:
            return _complete(os.environ.pop(COMPLETE))
        if not given:  # whoever types the name alone wants to know what there is; a script that does is wrong
            with contextlib.redirect_stdout(sys.stderr):
                group.main(args=["--help"], standalone_mode=False)
            return WrongUsage.exit_code
        with Signals(leaving=leaving) as signals:
            code = group.main(args=list(given), obj=Invocation(given, signals), standalone_mode=False)
            sys.stdout.flush()
            return code if isinstance(code, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        return _fail(_sentence(error), error.exit_code)
    except Problem as problem:
        try:
            sys.stdout.flush()
        except (OSError, ValueError):  # that was the problem
            _forget_stdout()
        return _fail(str(problem), problem.exit_code)
    except Stopped as stopped:
        return stopped.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except (ReaderGone, BrokenPipeError):
        _forget_stdout()
        return ReaderGone.exit_code
    except OSError as error:
        if not _stdout_is_broken(error):
            raise
        _forget_stdout()
        return _fail(f"stdout cannot be written: {error.strerror}.", Problem.exit_code)


def _complete(shell: str) -> int:
    from elsewhere.cli.completion.shells import answer

    click.echo(answer(group, shell))
    return 0


def _stand_in() -> None:
    """Give closed streams a stand-in, or the next socket would have their number and be written to.

    Writing to that of stdout fails as before; what nobody reads on stderr is dropped.
    """
    for fd, name, flags in ((1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            null = os.open(os.devnull, flags)
            if null != fd:
                os.dup2(null, fd)
                os.close(null)
            setattr(sys, name, os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace", closefd=False))


def _fail(sentence: str, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody reads stderr either: the exit code has to do
        click.echo(f"elsewhere: {sentence}", err=True)
    return code


def _sentence(error: click.ClickException) -> str:
    text = " ".join(error.format_message().split())
    if isinstance(error, click.NoSuchOption) and re.match(r"-[\d.]", error.option_name):
        text += " Put -- before inputs that start with a minus sign."
    verb = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else None
    return text if verb is None else f"{text} See '{verb} --help'."


def _stdout_is_broken(error: OSError) -> bool:
    """Was it that which failed? What it could not write is still in its buffer, if it has one, and fails again."""
    *_, last = traceback.extract_tb(error.__traceback__)
    if last.name == click.echo.__name__:
        return True
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return True
    return False


def _forget_stdout() -> None:
    # The interpreter flushes stdout once more when it ends, and would complain of the same broken pipe.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.close(devnull)

"""The verb ``run``: a command on hosts. Here is what the command line means; `doing` does it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import click

from elsewhere.cli.ending import WrongUsage
from elsewhere.cli.help import Verb
from elsewhere.cli.hosts.common import as_whom, carry_out, stdin_of, sudo_options
from elsewhere.cli.hosts.doing.passing import passed_on
from elsewhere.cli.hosts.doing.words import in_words
from elsewhere.cli.hosts.doing.work import Told
from elsewhere.cli.hosts.interactive import hand_over, is_for_who_sits_here
from elsewhere.cli.hosts.options import host_options
from elsewhere.fleet import Fleet, Host
from elsewhere.fleet.commands.prepare import prepare
from elsewhere.fleet.commands.sudo import prepare_sudo

__all__ = ["run_command"]

HELP = """Run a command on hosts, over SSH.

One argument is a text for the shell there; several are a program and its arguments, which are quoted. Options stand
before the command. Of one host the output is passed on as it is; of several each line has its host before it.
"""
MORE = """What still runs when the command ends here, however that is, is ended on the hosts, too.

Exit code: of one host the command's own, 128 + N after signal N, 124 timed out, 255 not reached; of several 0 all
well, 1 some failed. 2 wrong usage; 130, 143, 129 after Ctrl-C, SIGTERM, SIGHUP.
"""
EXAMPLES = (
    "elsewhere run -H web1,web2 -- uptime",
    "elsewhere run -H 'web[01-20]' -u deploy --sudo -- systemctl restart app",
)
FIRST = (
    "hosts", "groups", "exclude", "files", "user", "sudo", "env", "jobs", "timeout", "max_failures", "output",
    "resume", "grouped", "as_json", "dry_run", "quiet",
)  # fmt: skip


@click.command(
    "run", cls=Verb, help=HELP, more=MORE, examples=EXAMPLES, first=FIRST,
    context_settings={"allow_interspersed_args": False},
)  # fmt: skip
@click.argument("command", nargs=-1, metavar="[--] COMMAND...")
@host_options("CHOOSING", "REACHING", "SUDO")
@click.option("--cwd", metavar="FOLDER", help="The folder there to run it in.")
@click.option(
    "--env",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="A variable for it; without a value, as it is here, so that no command line holds it.",
)
@click.option("--stdin", "passes_stdin", is_flag=True, help="What comes on stdin is its input, on each host.")
@click.option(
    "--pty",
    is_flag=True,
    help="Give it a terminal; its output and its errors are then one. At "
    "a terminal, with one host: yours, as ssh -t has it; without a command a shell.",
)
@click.option(
    "--detach", is_flag=True, help="Start it and leave it to itself, whatever ends here; print its process id."
)
@click.option("--grouped", is_flag=True, help="Show at the end what hosts said, the same once.")
@host_options("jobs", "timeout", "retries", "max_failures", "output", "resume", "retry_failed", "overwrite")
@host_options("text", "dry_run", "quiet")
@click.pass_context
def run_command(ctx: click.Context, /, **given: Any) -> int:
    """See `HELP`."""
    words = given["command"]
    if is_for_who_sits_here(given):
        code = hand_over(given, _command(words) if words else None)
        if code is not None:
            return code
    command = _command(words)
    sudo, options = sudo_options(given), _options(given)
    try:
        prepare_sudo(command, **sudo, **options) if sudo else prepare(command, **options)
    except (TypeError, ValueError) as error:
        raise WrongUsage(in_words(error)) from None
    stdin = stdin_of(given, "the command's input (--stdin)") if given["passes_stdin"] else None

    def do(fleet: Fleet, told: Told) -> Mapping[Host, Any]:
        more: dict[str, Any] = {"output": told.outputs, "progress": told.bar}
        if not (told.keeps or sudo):
            return passed_on(fleet, command, options, stdin=stdin.fileno() if stdin else None, **more)
        more |= {"return_exceptions": True, **options, "input": stdin.read() if stdin else None}
        return fleet.sudo(command, **sudo, **more) if sudo else fleet.run(command, **more)

    says = {"with": ", ".join(options["env"]), "timeout": _seconds(given["timeout"])}
    says = {name: text for name, text in says.items() if text}
    return carry_out(ctx, given, what=_what(command, given), do=do, says=says)


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the verb takes of them; its input comes later."""
    options = {"cwd": given["cwd"], "env": _env(given["env"]), "timeout": given["timeout"], "pty": given["pty"]}
    if given["detach"]:
        if given["passes_stdin"] or given["pty"] or given["grouped"]:
            raise WrongUsage("What is detached reads and writes nothing: --stdin, --pty and --grouped have to go.")
        options["detach"] = True
    return options


def _what(command: str | list[str], given: Mapping[str, Any]) -> str:
    """The command in a line, with what makes it another one."""
    shown = command if isinstance(command, str) else shlex.join(command)
    whom = as_whom(given)
    return (
        " ".join(shown.split("\n")) + (f" ({whom})" if whom else "") + (f" in {given['cwd']}" if given["cwd"] else "")
    )


def _command(words: tuple[str, ...]) -> str | list[str]:
    """One word is a text for the shell, several are a list of arguments."""
    if not words or not "".join(words).strip():
        raise WrongUsage("There is no command: elsewhere run -H web1 -- uptime has one.")
    return words[0] if len(words) == 1 else list(words)


def _env(given: Sequence[str]) -> dict[str, str]:
    env = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            if name not in os.environ:
                raise WrongUsage(f"--env {name} takes its value from here, where {name} is not set.")
            value = os.environ[name]
        env[name] = value
    return env


def _seconds(timeout: float | None) -> str:
    return "" if timeout is None else f"{timeout:g} s"

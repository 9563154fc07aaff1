"""The verb ``doctor``: which parts are looked at, how it is shown, and the exit code."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any

import click

from elsewhere.cli.doctor.answers import QUESTIONS
from elsewhere.cli.doctor.asking import ask_all
from elsewhere.cli.doctor.finding import PARTS, Finding
from elsewhere.cli.doctor.page import end, failed, lines
from elsewhere.cli.help import Verb, versions
from elsewhere.cli.options import shared
from elsewhere.progress import colours

__all__ = ["doctor_command"]

HELP = """Say what works here, what does not, and what to do.

PARTS are core, http, fleet, dask, numpy, joblib and ports; all of them by default. Workers, shared memory, locks and
services are really tried. Nothing is asked beyond this machine, and nothing is left behind.

Exit code: 0 if all that is core works, 1 if something does not. Of parts that are named, all has to work.
"""
EXAMPLES = ("elsewhere doctor", "elsewhere doctor fleet dask", "elsewhere doctor --json")
WIDEST = 100  # columns


@click.command("doctor", cls=Verb, help=HELP, examples=EXAMPLES)
@click.argument("parts", nargs=-1, type=click.Choice(PARTS), metavar="[PART]...")
@shared("text", text={"default": False})
def doctor_command(parts: tuple[str, ...], **given: Any) -> int:
    """See `HELP`."""
    names = [name for name, question in QUESTIONS.items() if not parts or question.part in parts]
    width = min(WIDEST, shutil.get_terminal_size().columns)
    if not given["as_json"]:
        click.echo(f"{versions()}\n")
    found: list[Finding] = []
    for finding in ask_all(names):
        found.append(finding)
        if given["as_json"]:
            click.echo(json.dumps(finding._asdict(), ensure_ascii=False))
        else:
            click.echo("\n".join(lines(finding, width=width, coloured=colours(sys.stdout))), color=True)
    wrong = failed(found, parts)
    if not given["as_json"]:
        click.echo(f"\n{end(wrong, parts)}")
    return 1 if wrong else 0

"""The verb ``get``: files from hosts. Here is what the command line means; `doing` does it."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from typing import Any

import click

from elsewhere.cli.batch.output import cannot_write
from elsewhere.cli.ending import WrongUsage
from elsewhere.cli.hosts.common import carry_out
from elsewhere.cli.hosts.copies import copying, in_a_line, options_of_copies
from elsewhere.cli.hosts.doing.words import in_words
from elsewhere.cli.hosts.doing.work import Told
from elsewhere.fleet import Fleet, Host
from elsewhere.fleet.files.wanted import prepare_get

__all__ = ["get_command"]

HELP = """Copy files and folders from hosts, over SSH; what is here already is not sent again.

Of one host, SOURCE becomes TO by the rules of "elsewhere put". Of more than one, each host's copies go to TO/HOST/:
logs/web1/syslog, logs/web2/syslog. SOURCE may be a pattern, in quotes. To - is stdout, for one file of one host.
"""
MORE = """What is here already has the same size and time. A half-written file is never seen. No host can write outside
of TO.
"""
EXAMPLES = (
    "elsewhere get -H web1,web2 /var/log/syslog logs/",
    "elsewhere get -H 'web[01-20]' '/var/log/nginx/*.log' logs/",
)


@copying("get", help=HELP, more=MORE, examples=EXAMPLES)
def get_command(ctx: click.Context, /, **given: Any) -> int:
    """See `HELP`."""
    sources, to = list(given["sources"]), given["to"]
    options = options_of_copies(given)
    if to == "-" and given["as_json"]:
        raise WrongUsage("Rows and the file cannot both go to stdout: --json or TO has to be another.")
    try:
        prepare_get(sources, io.BytesIO() if to == "-" else to, **options)
    except (ValueError, TypeError) as error:
        raise WrongUsage(in_words(error)) from None

    def do(fleet: Fleet, told: Told) -> Mapping[Host, Any]:
        place = sys.stdout.buffer if to == "-" else to
        results: Mapping[Host, Any] = fleet.get(
            sources,
            place,
            by_host=told.several,
            output=told.outputs,
            progress=told.bar,
            return_exceptions=True,
            **options,
        )
        return results if to != "-" else {host: _of_stdout(found) for host, found in results.items()}

    what = in_a_line(given)
    says = {"deletes": f"what is only in {to}"} if given["delete"] else {}
    return carry_out(ctx, given, what=what, do=do, says=says, allows=_stdout if to == "-" else None)


def _of_stdout(outcome: Any) -> Any:
    """What was wrong with the file that is written, which here is stdout."""
    return cannot_write("stdout", outcome) if type(outcome) is OSError else outcome


def _stdout(hosts: int) -> None:
    if hosts > 1:
        raise WrongUsage("Files of several hosts cannot all go to stdout: name a folder for them.")
    if sys.stdout.isatty():
        raise WrongUsage("TO - is for pipes and files: elsewhere run ... cat shows a file on a terminal.")

"""The verb ``put``: files to hosts. Here is what the command line means; `doing` does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from elsewhere.cli.batch.summary import count
from elsewhere.cli.ending import WrongUsage
from elsewhere.cli.hosts.common import carry_out, stdin_of
from elsewhere.cli.hosts.copies import copying, in_a_line, options_of_copies
from elsewhere.cli.hosts.doing.telling import size
from elsewhere.cli.hosts.doing.words import in_words
from elsewhere.cli.hosts.doing.work import Told
from elsewhere.fleet import Fleet, Host
from elsewhere.fleet.files.wanted import prepare_put

__all__ = ["put_command"]

HELP = """Copy files and folders to hosts, over SSH; what is there already is not sent again.

A slash behind a folder means its contents, as rsync has it: dist/ to /srv/app makes /srv/app the copy, dist to
/srv/app/ makes /srv/app/dist. One addition: dist to /srv/app makes /srv/app the copy, too. The source - is stdin.
"""
MORE = """What is there already has the same size and time. A half-written file is never seen there. Modes and times are
kept, links stay links.
"""
EXAMPLES = (
    "elsewhere put -H web1,web2 dist/ /srv/app/",
    "elsewhere put -H 'web[01-20]' --sudo --mode 644 motd /etc/motd",
)


@copying("put", help=HELP, more=MORE, examples=EXAMPLES)
def put_command(ctx: click.Context, /, **given: Any) -> int:
    """See `HELP`."""
    sources, to = list(given["sources"]), given["to"]
    options = options_of_copies(given)
    what = in_a_line(given)
    data: Any = sources
    if "-" in sources:
        if len(sources) > 1:
            raise WrongUsage("The source - is stdin, which is copied alone.")
        data = stdin_of(given, "the source -")
    try:
        # What comes on stdin can be read once only, and not here.
        with prepare_put(sources if data is sources else b"", to, **options) as wanted:
            sent = _sent(wanted.collect().entries) if given["dry_run"] and data is sources else ""
    except (ValueError, TypeError, OSError) as error:
        raise WrongUsage(in_words(error)) from None

    def do(fleet: Fleet, told: Told) -> Mapping[Host, Any]:
        return fleet.put(data, to, output=told.outputs, progress=told.bar, return_exceptions=True, **options)

    says = {"sends": sent, "deletes": f"what is only in {to}" if given["delete"] else ""}
    return carry_out(ctx, given, what=what, do=do, says={name: text for name, text in says.items() if text})


def _sent(entries: Mapping[str, Any]) -> str:
    files = [entry for entry in entries.values() if entry.kind == "file"]
    return f"{count(len(files), 'file')}, {size(sum(entry.size for entry in files))}, where they are not there already"

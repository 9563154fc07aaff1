"""How many hosts did well, how the others failed, and how long it took: a table of few lines for many hosts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, TextIO

from elsewhere.fleet.kinds import NOT_TOUCHED, OK, by_kind, kind_of
from elsewhere.fleet.output.base import Output
from elsewhere.fleet.output.live import written
from elsewhere.progress import colours
from elsewhere.sansio.hosts.many.folding import shortly
from elsewhere.sansio.hosts.many.plain import plain

__all__ = ["Summary", "show"]

NARROW = 80  # columns where nobody says how many there are
MOST_HOSTS = 8  # folded names in one cell


class Summary(Output):
    """Collects what `show` is given.

    Attributes:
        outcomes: of the hosts that have ended.
        seconds: ... that each took.
    """

    def __init__(self) -> None:
        self.outcomes: dict[Any, Any] = {}
        self.seconds: dict[Any, float] = {}

    def ended(self, host: Any, outcome: Any, seconds: float) -> None:
        self.outcomes[host] = outcome
        self.seconds[host] = seconds


def show(results: Mapping[Any, Any], seconds: Mapping[Any, float], to: TextIO, *, took: float | None = None) -> None:
    """Write the table.

    Args:
        results: by host.
        seconds: that each took, where that is known.
        to: where: a terminal gets colours and its own width.
        took: seconds for all of them together.

    Raises:
        OSError: it cannot be written.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("hosts", justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("which", overflow="fold")
    for kind, hosts in by_kind(results).items():
        style = "green" if kind == OK else "yellow" if kind == NOT_TOUCHED else "red"
        times = [seconds[host] for host in hosts if host in seconds]
        which = shortly((plain(str(host)) for host in hosts), MOST_HOSTS)
        # Text, not str: no name is ever read as Rich's markup.
        table.add_row(Text(f"{len(hosts):,}"), Text(kind, style), Text(_range(times)), Text(which))
    held = io.StringIO()
    coloured = colours(to)
    console = Console(file=held, width=_width(to), force_terminal=coloured, no_color=not coloured, highlight=False)
    console.print(table)
    if took is not None:
        good = sum(kind_of(outcome) == OK for outcome in results.values())
        console.print(Text(f"{good:,} of {len(results):,} hosts ok in {took:.1f} s"))
    written(to, "".join(f"{line.rstrip()}\n" for line in held.getvalue().splitlines()))


def _range(times: list[float]) -> str:
    if not times:
        return ""
    low, high = min(times), max(times)
    return f"{high:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f}–{high:.1f}"


def _width(to: TextIO) -> int:
    import os

    try:
        return os.get_terminal_size(to.fileno()).columns or NARROW
    except (AttributeError, OSError, ValueError):
        return NARROW

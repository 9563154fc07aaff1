"""What is said of copies that were made: a line for each host."""

from __future__ import annotations

import sys
from typing import Any

from elsewhere.cli.batch.summary import count
from elsewhere.fleet import Host
from elsewhere.fleet.output.base import Output
from elsewhere.fleet.output.live import written
from elsewhere.sansio.hosts.many.plain import plain

__all__ = ["Copies", "size", "told"]


class Copies(Output):
    """``[web1] 3 of 2,014 files copied, 12.4 kB; 1 deleted; in 0.3 s``.

    Args:
        bare: without names: for one host alone.
        quiet: say nothing at all.
    """

    def __init__(self, *, bare: bool, quiet: bool) -> None:
        self._bare = bare
        self._quiet = quiet

    def ended(self, host: Host, outcome: Any, seconds: float) -> None:
        if not self._quiet and not isinstance(outcome, BaseException):
            name = "" if self._bare else f"[{plain(str(host))}] "
            written(sys.stdout, f"{name}{told(outcome)}\n")


def told(transfer: Any) -> str:
    """A transfer in a line."""
    every = transfer.sent + transfer.skipped
    sent = f"{count(transfer.sent, 'file')}" if not transfer.skipped else f"{transfer.sent:,} of {count(every, 'file')}"
    deleted = f"; {transfer.deleted:,} deleted" if transfer.deleted else ""
    return f"{sent} copied, {size(transfer.bytes)}{deleted}; in {transfer.seconds:.1f} s"


def size(number: int) -> str:
    """``512 bytes``, ``12.4 kB``, ``3.2 MB``: in thousands, as disks are sold."""
    if number < 1000:
        return count(number, "byte")
    amount, units = number / 1000, iter("kMGTPE")
    unit = next(units)
    while amount >= 999.95 and unit != "E":
        amount, unit = amount / 1000, next(units)
    return f"{amount:.1f} {unit}B"

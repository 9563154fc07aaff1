"""What is said in the end of what has gone well. Everything here is a pure function."""

from __future__ import annotations

from typing import Any

from elsewhere.cli.batch.summary import count
from elsewhere.fleet import Result

__all__ = ["size", "told"]


def told(outcome: Any) -> str:
    """A line: ``3 of 2,014 files copied, 12.4 kB; 1 deleted; in 0.3 s``; of what was detached its process id."""
    if isinstance(outcome, Result):
        return str(getattr(outcome, "pid", ""))
    return _copied(outcome)


def _copied(transfer: Any) -> str:
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

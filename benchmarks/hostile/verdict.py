"""What should have come of an attack, and what is to complain about."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.runner import Cell, ClientCell, CrowdCell

GROWN = 64.0  # MB that an attack may cost a server at most
WHOLE = 160.0  # ... a client, or a server that answers: their limit of 64 MiB, and again while it is put together
ACCIDENTS = {"RecursionError", "MemoryError", "SystemError", "value"}


def complaints(cell: Cell) -> Iterator[str]:
    """In words of the table."""
    refused = cell.outcome in {"fault", "closed"} or cell.outcome.startswith("HTTP 4")
    if not cell.outcome:
        yield "no answer"
    elif cell.outcome == "broken XML":
        yield "broken XML"
    elif cell.outcome.startswith("HTTP 5"):
        yield cell.outcome
    elif not refused and not ATTACKS[cell.attack].may_answer:
        yield "taken for a call"
    if cell.ran:
        yield "a method ran"
    if cell.leaked:
        yield "leaked"
    if cell.grown > (WHOLE if ATTACKS[cell.attack].may_answer else GROWN):
        yield f"+{cell.grown:.0f} MB"
    if not cell.served:
        yield "nobody else was served"


def crowd_complaints(cell: CrowdCell) -> Iterator[str]:
    if cell.served < cell.calls:
        yield f"{cell.served} of {cell.calls} calls were answered"
    if cell.grown > GROWN:
        yield f"+{cell.grown:.0f} MB"


def client_complaints(cell: ClientCell) -> Iterator[str]:
    if not cell.outcome:
        yield "waits for ever"
    if cell.outcome == "its end":
        yield "the process died"
    if cell.outcome in ACCIDENTS:
        yield f"`{cell.outcome}`" if cell.outcome != "value" else "taken for a value"
    if cell.requests > 1:
        yield f"sent {cell.requests} times"
    if cell.grown > WHOLE:
        yield f"+{cell.grown:.0f} MB"

"""One line of what the doctor finds. Everything here is plain data."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CORE", "FAILS", "MISSING", "NOTE", "PARTS", "WORKS", "Finding", "pip"]

WORKS, NOTE, MISSING, FAILS = "works", "note", "missing", "fails"
CORE = "core"
PARTS = (CORE, "http", "fleet", "dask", "numpy", "joblib", "ports")


class Finding(NamedTuple):
    """What was found of one thing.

    Attributes:
        name: of the thing.
        part: one of `PARTS`: "core", the extra it belongs to, or "ports".
        state: "works"; "note", which works and could be better; "missing", an extra that is not installed; "fails".
        says: what was found, without a full stop.
        do: what to do; "" where nothing is to be done.
    """

    name: str
    part: str
    state: str
    says: str
    do: str = ""


def pip(extra: str) -> str:
    """The command that installs an extra."""
    return f"python -m pip install 'elsewhere[{extra}]'"

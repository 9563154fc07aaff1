"""Outputs of a fleet's work that are the shell's own: rows as they come, and one host's output as it is."""

from __future__ import annotations

import os
from typing import Any

from elsewhere.cli.batch.output import Appender, Stream
from elsewhere.fleet import Host
from elsewhere.fleet.output.base import Output
from elsewhere.fleet.output.rows import line, row

__all__ = ["Bare", "RowsTo"]


class RowsTo(Output):
    """A row for each host that has ended, at once, so that whatever ends us later does not take it."""

    def __init__(self, sink: Stream | Appender) -> None:
        self._sink = sink

    def ended(self, host: Host, outcome: Any, seconds: float) -> None:
        self._sink.write(line(row(host, outcome, seconds)))


class Bare(Output):
    """The bytes that the only host writes, as they are: for pipes and files, as ssh has it.

    Args:
        out, err: where to.
    """

    def __init__(self, out: Stream, err: Stream) -> None:
        self._to = {"stdout": out, "stderr": err}

    def came(self, host: Host, stream: str, data: bytes) -> None:
        self._to[stream].write(data)


def is_terminal(fd: int) -> bool:
    """Does somebody look at it?"""
    try:
        return os.isatty(fd)
    except OSError:
        return False

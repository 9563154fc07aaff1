"""Rows of hosts in a file, and which hosts have one already.

All that makes a row stay written is `cli.batch`'s: whole lines, on the disk within a second, a lock, a copy where lines
are to go. Here a row is found by its host, so another run may name other hosts: those that have a row are done. What
must be the same is what is done on them, which stands in ``FILE.run``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from elsewhere.cli.batch.destination import Wish, cleared, regular_file
from elsewhere.cli.batch.inputs import Given
from elsewhere.cli.batch.output import Appender, Stream, claim, open_plain
from elsewhere.cli.batch.resume import Earlier, Record
from elsewhere.cli.ending import WrongUsage

__all__ = ["Before", "Rows", "check", "look", "open_rows"]


@dataclass
class Before:
    """What an earlier run left.

    Attributes:
        ok, failed: hosts whose rows are kept.
        lines: what `cli.batch` needs to know of the file.
    """

    ok: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    lines: Earlier = field(default_factory=lambda: Earlier(bytearray()))

    @property
    def done(self) -> set[str]:
        """Hosts that have a row to keep."""
        return self.ok | self.failed


@dataclass
class Rows:
    """Where the rows of this run go.

    Attributes:
        sink: takes lines.
        before: what is there already.
        can_resume: another run can go on with them.
    """

    sink: Stream | Appender
    before: Before
    can_resume: bool


def check(wish: Wish) -> None:
    """Find what cannot be done, as far as one look at the file tells.

    Raises:
        WrongUsage: the wish contradicts itself, or would destroy something.
    """
    wish.check(Given([]))


def look(wish: Wish, identity: str) -> Before:
    """What an earlier run left, where this one goes on with it. Changes nothing.

    Args:
        wish: what the command line says of rows.
        identity: what is done on each host.

    Raises:
        WrongUsage: the file is not of this command.
    """
    path = regular_file(wish)
    if path is None or not wish.goes_on or not os.path.exists(path) or not os.path.getsize(path):
        return Before()
    record = Record.load(path)
    if record is not None and record.function != identity:
        raise WrongUsage(
            f"{path} holds rows of something else, {record.function}, and not of {identity}: choose another file or "
            "--overwrite."
        )
    return _read(path, retry_failed=wish.retry_failed)


def open_rows(wish: Wish, identity: str, note: Callable[[str], None]) -> Rows:
    """Make everything ready for the first row.

    Raises:
        WrongUsage: the file is another command's, or cannot be opened.
        Problem: it cannot be written.
    """
    assert wish.output is not None
    stream = open_plain(wish.output)
    if stream is not None:
        if wish.goes_on:
            stream.close()
            raise WrongUsage(f"{wish.output} is no regular file: there are no rows in it to go on with.")
        return Rows(stream, Before(), can_resume=False)
    path = regular_file(wish)
    assert path is not None
    fd = claim(path)
    try:
        before = look(wish, identity)
        fd = cleared(fd, path, wish, before.lines if wish.goes_on else None, note)
        Record(identity).save(path)
        return Rows(Appender(fd, path), before, can_resume=True)
    except BaseException:
        os.close(fd)
        raise


def _read(path: str, *, retry_failed: bool) -> Before:
    before = Before()
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    before.lines.torn += 1
                    break
                _take(before, line, f"{path}, line {number},", retry_failed)
                before.lines.size += len(line)
    except OSError as error:
        raise WrongUsage(f"The rows in {path} cannot be read: {error.strerror}.") from None
    return before


def _take(before: Before, line: bytes, where: str, retry_failed: bool) -> None:
    lines = before.lines
    if b"\0" in line:  # a page that a power cut kept from the disk
        lines.torn += 1
        lines.dropped.append(lines.size)
        return
    row = _parse(line, where)
    host, ok = row["host"], row["ok"]
    if host in before.done or (retry_failed and not ok):
        lines.dropped.append(lines.size)
        return
    (before.ok if ok else before.failed).add(host)
    lines.kept += 1
    lines.failed += not ok


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(line)
        if type(row["host"]) is not str or type(row["ok"]) is not bool:
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise WrongUsage(
            f"{where} is not a row of this command: mend or delete that line, or use --overwrite."
        ) from None
    return row

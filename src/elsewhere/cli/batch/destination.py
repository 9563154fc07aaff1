"""Which file the rows go to, and what has to be true of it before the first one does.

::

    no --output, or a pipe, a device        a stream: nothing is remembered, nothing can be resumed
    --text                                  a file of values without indexes: cannot be resumed either
    JSON rows in a regular file             with a record beside it: see `resume`

Order matters, because a kill may come between any two steps: inputs are looked through before a file is touched, the
lock comes before the first look at the rows, an overwritten file is empty before its new record is there, and the
record is there before the first row.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from elsewhere.cli.batch.inputs import Fingerprint, Inputs, Survey
from elsewhere.cli.batch.output import Appender, Stream, claim, open_plain, truncate
from elsewhere.cli.batch.resume import Earlier, Record, drop, read_rows
from elsewhere.cli.ending import WrongUsage
from elsewhere.cli.function.convert import ASK

__all__ = ["Destination", "Wish", "cleared", "look", "open_destination", "regular_file"]

STDOUT = 1


@dataclass(frozen=True)
class Wish:
    """What the command line says about the rows."""

    output: str | None = None
    resume: bool = False
    retry_failed: bool = False
    overwrite: bool = False
    as_text: bool = False

    @property
    def goes_on(self) -> bool:
        """Rows of an earlier run are kept."""
        return self.resume or self.retry_failed

    def check(self, inputs: Inputs) -> None:
        """Find what cannot be done, as far as one look at the file tells.

        Raises:
            WrongUsage: the wish contradicts itself, or would destroy something.
        """
        if self.output is None:
            for name in ("resume", "retry_failed", "overwrite"):
                if getattr(self, name):
                    raise WrongUsage(f"--{name.replace('_', '-')} is about a file of rows: name it by --output FILE.")
            return
        if self.overwrite and self.goes_on:
            raise WrongUsage("--overwrite starts anew and --resume goes on: one of them has to go.")
        if self.goes_on and self.as_text:
            raise WrongUsage(
                "A run with --text cannot be resumed, because its lines do not say which input they are of."
            )
        if inputs.reads(self.output):
            raise WrongUsage(f"{self.output} holds the inputs: choose another file for the rows.")
        if os.path.isfile(self.output) and os.path.getsize(self.output) and not (self.goes_on or self.overwrite):
            cure = (
                "choose another file or --overwrite"
                if self.as_text
                else "--resume goes on with it, --overwrite starts anew"
            )
            raise WrongUsage(f"{self.output} exists already: {cure}.")


@dataclass
class Destination:
    """Where the rows of this run go.

    Attributes:
        sink: takes lines.
        survey: what is known of the inputs.
        record: what is remembered beside the rows; None if they cannot be resumed.
        earlier: what is there already.
    """

    sink: Stream | Appender
    output: str | None = None
    survey: Survey | None = None
    record: Record | None = None
    earlier: Earlier | None = None

    def is_done(self, index: int) -> bool:
        """Has input `index` a row already?"""
        done = self.earlier.done if self.earlier is not None else b""
        return index < len(done) and bool(done[index])

    def remember(self, *, conversion: str | None = None, inputs: Fingerprint | None = None) -> None:
        """Put what was found out on the way into the record."""
        if self.record is None or self.output is None:
            return
        if conversion is not None:
            self.record.conversion = conversion
        if inputs is not None and inputs.complete:
            self.record.inputs, self.record.digest = inputs.count, inputs.digest
        self.record.save(self.output)


def look(wish: Wish, function: str, inputs: Inputs) -> tuple[Survey | None, Earlier | None, Record | None]:
    """Look through the inputs, and through what an earlier run left if it is gone on with. Changes nothing.

    Raises:
        WrongUsage: these are other inputs, or it is another function.
    """
    path = regular_file(wish)
    if path is None or not wish.goes_on or not os.path.exists(path) or not os.path.getsize(path):
        return (inputs.survey() if inputs.rereadable else None), None, None
    inputs.keep()
    survey = inputs.survey(marks=True)
    record = Record.load(path)
    if record is not None:
        record.check(function, survey, path)
    return survey, read_rows(path, survey, retry_failed=wish.retry_failed), record


def open_destination(
    wish: Wish, function: str, conversion: str, inputs: Inputs, note: Callable[[str], None]
) -> Destination:
    """Make everything ready for the first row.

    Raises:
        WrongUsage: the file is another run's, or cannot be opened.
        Problem: it cannot be written.
    """
    path = regular_file(wish)
    stream = Stream(STDOUT, "stdout") if wish.output is None else open_plain(wish.output)
    if stream is not None and wish.goes_on:
        stream.close()
        raise WrongUsage(f"{wish.output} is no regular file: there are no rows in it to go on with.")
    if stream is not None or path is None:
        assert stream is not None
        return Destination(stream, survey=look(wish, function, inputs)[0])
    if not wish.goes_on and inputs.rereadable:
        inputs.survey()  # a bad line is found before the file is touched
    fd = claim(path)
    try:
        survey, earlier, before = look(wish, function, inputs)
        fd = cleared(fd, path, wish, earlier, note)
        destination = Destination(Appender(fd, path), path, survey, None, earlier)
    except BaseException:
        os.close(fd)
        raise
    if not wish.as_text:
        destination.record = _record(before, function, conversion, survey)
        destination.remember()
    if earlier is not None and before is None:
        note(
            f"{Record.path(path)} is gone, which said what function the rows in {path} are of: taken to be {function}."
        )
    return destination


def regular_file(wish: Wish) -> str | None:
    """The regular file that rows go to, or shall go to. The one behind a link, because links are not to be replaced."""
    if wish.output is None or (os.path.exists(wish.output) and not os.path.isfile(wish.output)):
        return None
    return os.path.realpath(wish.output) if os.path.islink(wish.output) else wish.output


def cleared(fd: int, path: str, wish: Wish, earlier: Earlier | None, note: Callable[[str], None]) -> int:
    """The file with nothing in it but rows to keep."""
    if earlier is None:
        if os.fstat(fd).st_size and not wish.overwrite:  # it was empty when the wish was checked
            raise WrongUsage(f"Another command has just written {path}: choose another file.")
        truncate(fd, 0, path)
        return fd
    if earlier.torn:
        note(f"{path}: {earlier.torn} unfinished line{'s' * (earlier.torn > 1)} dropped.")
    if earlier.dropped:
        new = drop(path, earlier)
        os.close(fd)
        return new
    if earlier.size < os.fstat(fd).st_size:
        truncate(fd, earlier.size, path)
    return fd


def _record(before: Record | None, function: str, conversion: str, survey: Survey | None) -> Record:
    known = None if conversion == ASK else conversion
    if known is None and before is not None:
        known = before.conversion
    if survey is None:
        return Record(function, known)
    return Record(function, known, survey.count, survey.digest)

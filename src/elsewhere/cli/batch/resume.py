"""What an earlier run left, and whether this run may go on with it.

Two files know. The rows themselves say which inputs are done, by index and input. Beside them, in ``FILE.run``, stands
what no row can say (`Record`): the function, what inputs became, and the fingerprint of the whole list of inputs. It
is on the disk before the first row, and stays when the run has ended, so that no other function's rows can get into
the file later. Without it a run is resumed by its rows alone.

There is never more than one row for an input, at no moment: rows that shall go (failures to be tried again) are left
out of a copy *before* the first new one is written (`drop`), and not afterwards. So no crash can leave two.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from elsewhere.cli.batch.inputs import Survey, canonical
from elsewhere.cli.batch.output import replace
from elsewhere.cli.ending import Problem, WrongUsage

__all__ = ["Earlier", "Record", "drop", "read_rows"]

FORMAT = 1  # of the record; a later one that cannot be read by this code counts on
COPY = 1 << 20  # bytes copied at a time


@dataclass
class Record:
    """What stands in ``FILE.run``.

    Attributes:
        function: `Target.identity`.
        conversion: what inputs become; None while the first call is still to find out.
        inputs: how many there are; None while nobody knows.
        digest: the fingerprint of all of them; None likewise.
    """

    function: str
    conversion: str | None = None
    inputs: int | None = None
    digest: str | None = None

    @staticmethod
    def path(output: str) -> str:
        """Where the record of `output` is."""
        return output + ".run"

    def save(self, output: str) -> None:
        """Put it beside `output`, for good."""
        text = json.dumps({"elsewhere": FORMAT, **asdict(self)}) + "\n"
        os.close(replace(self.path(output), lambda file: _put(file, text)))

    @classmethod
    def load(cls, output: str) -> Record | None:
        """The record beside `output`; None if there is none.

        Raises:
            WrongUsage: there is one that says nothing.
        """
        path = cls.path(output)
        try:
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
            if found.pop("elsewhere") != FORMAT:
                raise ValueError
            return cls(**found)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise WrongUsage(f"{path}, the record of {output}, cannot be read: {error.strerror}.") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise WrongUsage(
                f"{path} is not the record of a run: delete it to resume {output} by its rows alone."
            ) from None

    def check(self, function: str, survey: Survey, output: str) -> None:
        """Is it this function and this list?

        Raises:
            WrongUsage: no.
        """
        if self.function != function:
            raise WrongUsage(
                f"{output} holds rows of another function, {self.function}, not of {function}: choose another file "
                f"or --overwrite (if the function only moved, delete {self.path(output)})."
            )
        if self.digest is not None and self.digest != survey.digest:
            count = f" (there were {self.inputs}, now there are {survey.count})" if self.inputs != survey.count else ""
            raise WrongUsage(
                f"{output} holds rows of another list of inputs{count}: give the same list, choose another file or "
                "--overwrite."
            )


@dataclass
class Earlier:
    """What `read_rows` found.

    Attributes:
        done: by index, 1 where there is a row to keep.
        kept: how many there are.
        failed: how many of those are failures.
        size: where the last whole line ends; what follows is torn.
        dropped: where the lines begin that are not to be kept.
        torn: how many lines a kill or a power cut spoilt.
    """

    done: bytearray
    kept: int = 0
    failed: int = 0
    size: int = 0
    dropped: list[int] = field(default_factory=list)
    torn: int = 0


def read_rows(path: str, survey: Survey, *, retry_failed: bool = False) -> Earlier:
    """Look through the rows of an earlier run over the inputs that `survey` (with marks) has seen.

    Raises:
        WrongUsage: a line is no row, or a row of another input.
    """
    earlier = Earlier(bytearray(survey.count))
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    earlier.torn += 1
                    break
                _take(earlier, line, survey.marks, retry_failed, f"{path}, line {number},")
                earlier.size += len(line)
    except OSError as error:
        raise WrongUsage(f"The rows in {path} cannot be read: {error.strerror}.") from None
    return earlier


def _take(earlier: Earlier, line: bytes, marks: array[int], retry_failed: bool, where: str) -> None:
    if b"\0" in line:
        # No row has such a byte: here is a page that a power cut kept from the disk, and later ones got there.
        earlier.torn += 1
        earlier.dropped.append(earlier.size)
        return
    row = _parse(line, where)
    index = row["index"]
    if not 0 <= index < len(marks):
        raise WrongUsage(f"{where} is about input {index}, but there are {len(marks)} inputs: this is another list.")
    if hash(canonical(row["input"])) != marks[index]:
        raise WrongUsage(
            f"{where} is about {_short(row['input'])} as input {index}, which is something else now: this is "
            "another list of inputs."
        )
    if earlier.done[index] or (retry_failed and "error" in row):
        earlier.dropped.append(earlier.size)
        return
    earlier.done[index] = 1
    earlier.kept += 1
    earlier.failed += "error" in row


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        if type(row["index"]) is not int or "input" not in row or ("value" in row) == ("error" in row):
            raise ValueError
        canonical(row["input"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise WrongUsage(
            f"{where} is not a row of this command: mend or delete that line, or use --overwrite."
        ) from None
    return row  # type: ignore[no-any-return]  # a dict, which was checked


def drop(path: str, earlier: Earlier) -> int:
    """Put a copy in the place of `path` that has only the rows to keep.

    Returns:
        The copy, as `output.replace` does.
    """

    def fill(copy: BinaryIO) -> None:
        with open(path, "rb") as file:
            for start, end in _kept(earlier, file):
                _copy(file, copy, start, end)

    return replace(path, fill)


def _kept(earlier: Earlier, file: BinaryIO) -> Iterator[tuple[int, int]]:
    start = 0
    for place in earlier.dropped:
        yield start, place
        file.seek(place)
        start = place + len(file.readline())
    yield start, earlier.size


def _copy(source: BinaryIO, to: BinaryIO, start: int, end: int) -> None:
    source.seek(start)
    while start < end:
        chunk = source.read(min(COPY, end - start))
        if not chunk:
            raise Problem("The rows changed while they were copied: another program writes the same file.")
        to.write(chunk)
        start += len(chunk)


def _put(file: BinaryIO, text: str) -> None:
    file.write(text.encode())


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

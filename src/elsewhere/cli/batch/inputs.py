"""Where the inputs come from. Rule: they are yielded one by one and never held, so ten million lines need no memory.

An input is text as it was given (bytes that are no UTF-8 are kept by surrogates, as in file names), or any value in
``--json-input``. It is told from its equals by its index. What can be read twice is looked through once before the
run (`survey`), which gives the bar its total, finds a bad line before anything is started, and gives a resumed run
the fingerprint of the whole list.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii
from typing import Any

from elsewhere.cli.ending import Problem, WrongUsage

__all__ = ["Fingerprint", "Given", "Inputs", "Lines", "Survey", "canonical", "open_inputs"]

CHUNK = 1 << 18  # bytes read at a time; from a pipe it is what is there


def canonical(value: object) -> str:
    """One text for one input, in ASCII: what fingerprints are made of and rows are compared by.

    Raises:
        ValueError: the value holds a number that JSON has no way to write.
    """
    if type(value) is str:
        return encode_basestring_ascii(value)
    return json.dumps(value, allow_nan=False)


class Fingerprint:
    """Grows with each input; two lists have the same one exactly when they are equal."""

    def __init__(self) -> None:
        self.count = 0
        self.complete = False
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, text: str) -> None:
        """The next input's canonical text. It holds no line break, so one can part it from the next."""
        self._hash.update(text.encode("ascii") + b"\n")
        self.count += 1

    @property
    def digest(self) -> str:
        """Of the inputs so far."""
        return self._hash.hexdigest()

    def following(self, inputs: Iterable[object]) -> Iterator[object]:
        """The same inputs, each added on its way."""
        for value in inputs:
            self.add(canonical(value))
            yield value
        self.complete = True


@dataclass(frozen=True)
class Survey:
    """What one look through all inputs tells.

    Attributes:
        count: how many there are.
        digest: their fingerprint.
        marks: a hash of each, by index; it means nothing in another process.
    """

    count: int
    digest: str
    marks: array[int] = field(default_factory=lambda: array("q"))


class Inputs:
    """Inputs that can be iterated, more than once if `rereadable`."""

    rereadable = True
    is_stdin = False

    def __iter__(self) -> Iterator[object]:
        """Every input, from the first."""
        raise NotImplementedError

    def keep(self) -> None:
        """Make them rereadable."""

    def reads(self, path: str) -> bool:
        """Do they come from the file `path`?"""
        return False

    def close(self) -> None:
        """They are read no more."""

    def survey(self, *, marks: bool = False) -> Survey:
        """Look through all of them."""
        fingerprint = Fingerprint()
        hashes = array("q")
        for value in self:
            text = canonical(value)
            fingerprint.add(text)
            if marks:
                hashes.append(hash(text))
        return Survey(fingerprint.count, fingerprint.digest, hashes)


class Given(Inputs):
    """Inputs that are the command's arguments."""

    def __init__(self, texts: Sequence[str], *, as_json: bool = False) -> None:
        self._values: list[object] = list(texts)
        if as_json:
            self._values = [_value(text, f"input {number}") for number, text in enumerate(texts)]

    def __iter__(self) -> Iterator[object]:
        return iter(self._values)


class Lines(Inputs):
    """Inputs that are the lines of an open file, or what NUL bytes part in it.

    Args:
        fd: where to read; closed by `close`, unless it is stdin.
        name: what the file is called in sentences.
        null: parted by NUL bytes, as by ``find -print0``.
        as_json: each is a JSON text; blank lines count for nothing.
    """

    def __init__(self, fd: int, name: str, *, null: bool = False, as_json: bool = False) -> None:
        self.rereadable = stat.S_ISREG(os.fstat(fd).st_mode)
        self.is_stdin = fd == 0
        self.name = name
        self._fd = fd
        self._start = os.lseek(fd, 0, os.SEEK_CUR) if self.rereadable else 0
        self._separator = b"\0" if null else b"\n"
        self._as_json = as_json

    def __iter__(self) -> Iterator[object]:
        for number, raw in enumerate(_split(self._chunks(), self._separator), 1):
            if self._separator == b"\n" and raw.endswith(b"\r"):
                raw = raw[:-1]
            text = raw.decode("utf-8", "surrogateescape")
            if not self._as_json:
                yield text
            elif text.strip():
                yield _value(text, f"{self.name}, line {number},")

    def keep(self) -> None:
        """Read a pipe to its end into a file that is gone with this process."""
        if self.rereadable:
            return
        try:
            with tempfile.TemporaryFile() as file:
                for chunk in self._chunks():
                    file.write(chunk)
                file.flush()
                self.close()
                self._fd = os.dup(file.fileno())
        except OSError as error:
            raise Problem(f"{self.name} cannot be kept in a temporary file: {error.strerror}.") from None
        self._start, self.rereadable = 0, True

    def reads(self, path: str) -> bool:
        """Writing to what is being read would never end."""
        try:
            return stat.S_ISREG(os.stat(path).st_mode) and os.path.samestat(os.fstat(self._fd), os.stat(path))
        except OSError:
            return False

    def close(self) -> None:
        """The file is ours, but stdin is everybody's."""
        if self._fd > 2:
            os.close(self._fd)

    def _chunks(self) -> Iterator[bytes]:
        position = self._start
        while True:
            try:
                # Read by position, so that looking through the file moves nobody else's place in it.
                chunk = os.pread(self._fd, CHUNK, position) if self.rereadable else os.read(self._fd, CHUNK)
            except OSError as error:
                raise Problem(f"{self.name} cannot be read any further: {error.strerror}.") from None
            if not chunk:
                return
            position += len(chunk)
            yield chunk


def open_inputs(
    arguments: Sequence[str], source: str | None, *, null: bool = False, as_json: bool = False, stdin: int = 0
) -> Inputs:
    """The inputs that a command line means: its arguments, the lines of a file, or those of stdin.

    Raises:
        WrongUsage: there are two sources or none, or the file cannot be read.
    """
    if arguments:
        if source is not None:
            raise WrongUsage("Inputs are given as arguments and by --from: one of them has to go.")
        if null:
            raise WrongUsage("-0 parts the inputs of a file or of stdin, but they are given as arguments.")
        return Given(arguments, as_json=as_json)
    if source is None or source == "-":
        fd, name = stdin, "stdin"
        try:
            if source is None and os.isatty(fd):
                raise WrongUsage("There are no inputs: give them as arguments, by --from FILE, or on stdin.")
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                raise WrongUsage("stdin is a folder, which has no lines.")
        except OSError:
            raise WrongUsage("stdin is closed: give inputs as arguments or by --from FILE.") from None
    else:
        fd, name = _open(source), source
    return Lines(fd, name, null=null, as_json=as_json)


def _open(path: str) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise WrongUsage(f"The inputs in {path} cannot be read: {error.strerror}.") from None
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise WrongUsage(f"The inputs in {path} cannot be read: it is a folder.")
    return fd


def _value(text: str, where: str) -> Any:
    try:
        value = json.loads(text)
        canonical(value)  # json.loads takes NaN and 1e999, which no row could show
    except json.JSONDecodeError as error:
        raise WrongUsage(f"{where} is not JSON: {error.msg} at column {error.colno}.") from None
    except (ValueError, RecursionError):
        raise WrongUsage(f"{where} holds what JSON has no way to write, such as NaN or endless nesting.") from None
    return value


def _split(chunks: Iterable[bytes], separator: bytes) -> Iterator[bytes]:
    pending: list[bytes] = []  # joined once per line, however many chunks a line has
    for chunk in chunks:
        parts = chunk.split(separator)
        if len(parts) > 1:
            yield b"".join([*pending, parts[0]])
            yield from parts[1:-1]
            pending = []
        pending.append(parts[-1])
    if last := b"".join(pending):
        yield last

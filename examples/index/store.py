"""The index on disk: one SQLite file, of which a search reads only what its words need. See docs/text-index.md.

- `terms` has a row for each word: in how many files it is, in which, how often in each, and at which places.
- `files` has a row for each file, `skipped` one for each that has no words to find, and why.
- `about` has the rest: the folders, how many files and words there are, and the length of each file.

Lists of numbers are blobs, as `postings.packed` makes them: a word that is in every file is still one row.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from postings import unpacked

FORMAT = 1
LAST = "\U0010ffff"  # no word begins with it, so that no word stands behind its prefix and this
TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE files (number INTEGER PRIMARY KEY, path TEXT NOT NULL);
CREATE TABLE skipped (number INTEGER PRIMARY KEY, path TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE terms (
    term TEXT PRIMARY KEY, count INTEGER NOT NULL, files BLOB NOT NULL, counts BLOB NOT NULL, places BLOB NOT NULL
);
"""


def write(
    path: str,
    about: dict[str, Any],
    files: Iterable[tuple[int, str]],
    skipped: Iterable[tuple[int, str, str]],
    terms: Iterable[tuple[str, int, bytes, bytes, bytes]],
) -> None:
    """Write an index, and then put it into its place at once: whoever searches meanwhile has the old one or the new."""
    new = f"{path}.{os.getpid()}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    try:
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;" + TABLES)
            db.executemany("INSERT INTO about VALUES (?, ?)", {"format": FORMAT, **about}.items())
            db.executemany("INSERT INTO files VALUES (?, ?)", files)
            db.executemany("INSERT INTO skipped VALUES (?, ?, ?)", skipped)
            db.executemany("INSERT INTO terms VALUES (?, ?, ?, ?, ?)", terms)
            db.execute("COMMIT")
        with open(new, "rb") as file:
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        raise


class Reader:
    """An open index; for one thread at a time.

    Attributes:
        identity: changes when another index is put into its place.
        folders: that were indexed.
        lengths: of each file, by its number, how many words it has.
        files, words: how many there are.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is no index.
    """

    def __init__(self, path: str) -> None:
        self.identity = identity(path)
        self._db = sqlite3.connect(
            f"file:{quote(os.path.abspath(path))}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        try:
            about = dict(self._db.execute("SELECT name, value FROM about"))
        except sqlite3.Error as error:
            self._db.close()
            raise ValueError(f"{path} is no text index ({error}): indexer.py makes one") from None
        if about["format"] != FORMAT:
            self._db.close()
            raise ValueError(f"{path} has format {about['format']}, and this program reads {FORMAT}: build it again")
        self.folders: list[str] = json.loads(about["folders"])
        self.lengths = unpacked(about["lengths"])
        self.files: int = about["files"]
        self.words: int = about["words"]

    def posting(self, term: str) -> dict[int, int]:
        """The files that have a word, and how often each has it."""
        for row in self._db.execute("SELECT files, counts FROM terms WHERE term = ?", (term,)):
            return dict(zip(*map(unpacked, row)))  # noqa: B905 - a host's Python may know no strict=
        return {}

    def beginning_with(self, prefix: str) -> Iterator[dict[int, int]]:
        """The same of each word that begins so."""
        question = "SELECT files, counts FROM terms WHERE term >= ? AND term < ?"
        for row in self._db.execute(question, (prefix, prefix + LAST)):
            yield dict(zip(*map(unpacked, row)))  # noqa: B905 - see above

    def places(self, term: str) -> dict[int, array[int]]:
        """Of each file that has a word: at which places it stands."""
        found: dict[int, array[int]] = {}
        for row in self._db.execute("SELECT files, counts, places FROM terms WHERE term = ?", (term,)):
            files, counts, places = map(unpacked, row)
            begin = 0
            for file, count in zip(files, counts):  # noqa: B905 - see above
                found[file] = places[begin : begin + count]
                begin += count
        return found

    def count(self, term: str) -> int:
        """In how many files a word is."""
        for (count,) in self._db.execute("SELECT count FROM terms WHERE term = ?", (term,)):
            return int(count)
        return 0

    def known(self, least: int, most: int) -> list[str]:
        """The words that so many files have."""
        question = "SELECT term FROM terms WHERE count BETWEEN ? AND ? ORDER BY term"
        return [term for (term,) in self._db.execute(question, (least, most))]

    def path(self, number: int) -> str:
        """A file's path."""
        [(path,)] = self._db.execute("SELECT path FROM files WHERE number = ?", (number,))
        return str(path)

    def terms(self) -> int:
        """How many different words there are."""
        [(count,)] = self._db.execute("SELECT count(*) FROM terms")
        return int(count)

    def skipped(self) -> list[tuple[str, str]]:
        """The files that have no words to find, and why."""
        return list(self._db.execute("SELECT path, reason FROM skipped ORDER BY number"))

    def close(self) -> None:
        """Read no more."""
        self._db.close()


def identity(path: str) -> tuple[int, int, int]:
    """What tells one index from another in the same place."""
    about = os.stat(path)
    return about.st_dev, about.st_ino, about.st_mtime_ns

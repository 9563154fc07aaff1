"""Index the text files of some folders, on every core, on hosts, or on a Dask cluster. See docs/text-index.md.

python indexer.py -o code.index FOLDER...                                # every core of this machine
python indexer.py -o code.index FOLDER... --hosts web1 web2              # of others, over SSH
python indexer.py -o code.index FOLDER... --where dask://scheduler:8786  # or inline, threads, dask
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import store
from corpus import find
from postings import Item, Part, packed, postings, reason
from words import NotText, read

from elsewhere import Fleet, Pool, Retry, WorkerLost

BATCH = 200  # files of a call: enough that most of its words are there more than once, and are put together there


@dataclass(frozen=True)
class Report:
    """What was indexed, what was not, and how long it took."""

    files: int
    words: int
    terms: int
    skipped: list[tuple[str, str]]
    seconds: float


def build(folders: list[str], index: str, pool: Pool, *, send: bool = False, progress: bool = False) -> Report:
    """Index some folders.

    Args:
        folders: see `corpus.find`.
        index: the file to write.
        pool: where the work is done.
        send: read the files here and send what is in them, for workers that do not have them.
        progress: draw a bar.
    """
    started = time.perf_counter()
    folders = [os.path.abspath(folder) for folder in folders]  # who searches, and indexes again, may be in another one
    building = Building(list(find(folders)))
    # Parts come in the order of their files, so that the index is the same wherever they were made. A worker that is
    # killed costs some time, and no file.
    work = pool.options(retry=Retry(2, on=WorkerLost), name="batches").imap(
        postings, building.batches(send=send), progress=progress and math.ceil(len(building.paths) / BATCH)
    )
    for part in work:
        building.add(part)
    building.write(index, folders)
    return building.report(time.perf_counter() - started)


class Building:
    """The parts that there are so far, put together.

    Args:
        paths: of the files; each has the number of its place here.
    """

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths
        self._lengths: dict[int, int] = {}
        self._skipped: dict[int, str] = {}
        self._postings: dict[str, list[tuple[bytes, bytes, bytes]]] = defaultdict(list)

    def batches(self, *, send: bool = False) -> Iterator[list[Item]]:
        """The files in bundles, each one call's."""
        for begin in range(0, len(self.paths), BATCH):
            items = [Item(number, path) for number, path in enumerate(self.paths[begin : begin + BATCH], begin)]
            yield list(self._with_data(items)) if send else items

    def _with_data(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            try:
                yield item._replace(data=read(item.path))
            except (OSError, NotText) as error:
                self._skipped[item.number] = reason(error)

    def add(self, part: Part) -> None:
        """One more; in the order of the files."""
        self._lengths.update(part.lengths)
        self._skipped.update(part.skipped)
        for word, posting in part.postings():
            self._postings[word].append(posting)

    def write(self, index: str, folders: list[str]) -> None:
        """Write the index of all parts to a file."""
        about = {
            "folders": json.dumps(folders),
            "files": len(self._lengths),
            "words": sum(self._lengths.values()),
            "lengths": packed([self._lengths.get(number, 0) for number in range(len(self.paths))]),
        }
        files = ((number, self._name(number)) for number in self._lengths)
        store.write(index, about, files, self._named(), self._terms())

    def _terms(self) -> Iterator[tuple[str, int, bytes, bytes, bytes]]:
        for word in sorted(self._postings):
            files, counts, places = (b"".join(pieces) for pieces in zip(*self._postings[word], strict=True))
            yield word, len(files) // 4, files, counts, places

    def _named(self) -> list[tuple[int, str, str]]:
        return [(number, self._name(number), why) for number, why in sorted(self._skipped.items())]

    def _name(self, number: int) -> str:
        """A path as text, also where its bytes are none."""
        return self.paths[number].encode(errors="backslashreplace").decode()

    def report(self, seconds: float) -> Report:
        """What has become of it."""
        skipped = [(path, why) for _, path, why in self._named()]
        words = sum(self._lengths.values())
        return Report(len(self._lengths), words, len(self._postings), skipped, round(seconds, 2))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folders", nargs="+", metavar="FOLDER")
    options.add_argument("-o", "--index", required=True, metavar="FILE", help="the index to write")
    options.add_argument("-j", "--jobs", type=int, help="calls at once; by default one for each core")
    options.add_argument("--where", default="processes", help="or inline, threads, dask, dask://host:8786")
    options.add_argument("--hosts", nargs="+", help="as ssh knows them: web1 web2, or web[1-2]")
    given = options.parse_args()
    far = bool(given.hosts) or "://" in given.where  # they do not have our files
    with Pool(given.jobs, where=Fleet(*given.hosts) if given.hosts else given.where) as pool:
        try:
            report = build(given.folders, given.index, pool, send=far, progress=True)
        except OSError as error:
            sys.exit(f"indexer.py: {error}")
    for path, why in report.skipped:
        print(f"skipped {path}: {why}", file=sys.stderr)
    print(f"{report.files:,} files, {report.words:,} words, {report.terms:,} different; in {report.seconds} s")

"""Search an index: words, "phrases" and begin* of words, the best hits first. See docs/text-index.md.

python search.py code.index 'open "file descriptor" sock*'
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import operator
import re
import sys
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from store import Reader, identity
from words import NotText, decoded, read, words

# BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), section 3.2. The
# weight of a word has 1 added inside of its logarithm, as Lucene does it, so that it is above 0 for common words, too.
K1 = 1.2
B = 0.75
PARTS = re.compile(r'"([^"]*)"?|([^\s"]+)')
TELLING = 25  # words of a text by which others like it are found
WIDEST = 200  # characters of a line that is shown


@dataclass(frozen=True)
class Hit:
    """A file that was found: where it is, how good it is, and the line that shows best why, if the file is here."""

    path: str
    score: float
    line: str


@dataclass(frozen=True)
class About:
    """What is in an index."""

    index: str
    folders: list[str]
    files: int
    words: int
    terms: int
    skipped: int


class Index:
    """An index to search; for any number of threads.

    When another index is put into its place, the next search sees that one.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is no index.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._idle: deque[Reader] = deque()
        with self._reader():
            pass

    @contextlib.contextmanager
    def _reader(self) -> Iterator[Reader]:
        """A reader that no other thread has."""
        now = identity(self.path)
        while True:
            try:
                reader = self._idle.pop()
            except IndexError:
                reader = Reader(self.path)
                break
            if reader.identity == now:
                break
            reader.close()
        try:
            yield reader
        finally:
            self._idle.append(reader)

    def close(self) -> None:
        """Read no more; while nobody searches."""
        while self._idle:
            self._idle.pop().close()

    def search(self, query: str, limit: int = 10) -> list[Hit]:
        """The best files that have every part of a query.

        Args:
            query: words; "several in quotes" stand one after the other; begin* is any word that begins so.
            limit: how many at most.

        Raises:
            ValueError: there is no word in it, or limit is below 1.
        """
        parts = parsed(query)
        with self._reader() as reader:
            found = sorted((matches(reader, part) for part in parts), key=len)
            scores = dict.fromkeys(set(found[0]).intersection(*found[1:]), 0.0)
            for counts in found:
                add_scores(reader, scores, {file: counts[file] for file in scores}, len(counts))
            return hits(reader, scores, parts, limit)

    def similar(self, text: str, limit: int = 10) -> list[Hit]:
        """The files that are most like a text: that have most of the words which tell it from others.

        Raises:
            ValueError: there is no word in it, or limit is below 1.
        """
        here = Counter(words(text))
        if not here:
            raise ValueError("there is no word in this text")
        with self._reader() as reader:
            files = {word: reader.count(word) for word in here}
            worth = {word: here[word] * weight(reader, files[word]) for word in here if files[word]}
            telling = [Part([word]) for word in heapq.nlargest(TELLING, worth, key=lambda word: (worth[word], word))]
            scores: dict[int, float] = {}
            for part in telling:
                counts = matches(reader, part)
                add_scores(reader, scores, counts, len(counts))
            return hits(reader, scores, telling, limit)

    def about(self) -> About:
        """What is in it."""
        with self._reader() as reader:
            return About(self.path, reader.folders, reader.files, reader.words, reader.terms(), len(reader.skipped()))


class Part(NamedTuple):
    """A part of a query: words that stand one after the other; or one, of which only the beginning is told."""

    words: list[str]
    begins: bool = False


def parsed(query: str) -> list[Part]:
    """The parts of a query. What `words` takes for several words is a phrase, quotes or not: os.path is os, then path.

    Raises:
        ValueError: there is no word in it, or a star stands behind several.
    """
    parts = []
    for phrase, single in PARTS.findall(query):
        found = words(phrase or single)
        begins = not phrase and single.endswith("*")
        if begins and len(found) > 1:
            raise ValueError(f"{single}: a star may stand behind one word, and these are {len(found)}")
        if found:
            parts.append(Part(found, begins))
    if not parts:
        raise ValueError(f"there is no word in the query {query!r}")
    return parts


def matches(reader: Reader, part: Part) -> dict[int, int]:
    """The files that have a part of a query, and how often."""
    if part.begins:
        found: Counter[int] = Counter()
        for posting in reader.beginning_with(part.words[0]):
            for file, count in posting.items():
                found[file] += count
        return found
    if len(part.words) == 1:
        return reader.posting(part.words[0])
    places = [reader.places(word) for word in part.words]
    counts = {}
    for file in set(places[0]).intersection(*places[1:]):
        begins = set(places[0][file])
        for behind, each in enumerate(places[1:], 1):
            begins.intersection_update(place - behind for place in each[file])
        if begins:
            counts[file] = len(begins)
    return counts


def weight(reader: Reader, files: int) -> float:
    """What a word is worth that so many files have: the fewer, the more."""
    return math.log(1 + (reader.files - files + 0.5) / (files + 0.5))


def add_scores(reader: Reader, scores: dict[int, float], counts: dict[int, int], files: int) -> None:
    """Add to files' scores what a word is worth that they have so often, and so many files have."""
    worth = weight(reader, files) * (K1 + 1)
    lengths, mean = reader.lengths, reader.words / max(1, reader.files)
    for file, count in counts.items():
        scores[file] = scores.get(file, 0.0) + worth * count / (count + K1 * (1 - B + B * lengths[file] / mean))


def hits(reader: Reader, scores: dict[int, float], parts: list[Part], limit: int) -> list[Hit]:
    """The best ones, with their lines. Of equals the first."""
    if limit < 1:
        raise ValueError(f"limit is 1 or more, not {limit}")
    best = heapq.nsmallest(limit, scores, key=lambda file: (-scores[file], file))
    return [Hit(path, round(scores[file], 4), line(path, parts)) for file in best for path in [reader.path(file)]]


def line(path: str, parts: list[Part]) -> str:
    """The line of a file that shows most of a query; "" if the file is not here."""
    try:
        text = decoded(read(path))
    except (OSError, NotText):
        return ""
    best, most, enough = "", 0, sum(len(part.words) for part in parts)
    for each in text.splitlines():
        found = words(each)
        shown = sum(longest_run(part, found) for part in parts)
        if shown > most:
            best, most = each.strip()[:WIDEST], shown
            if most == enough:
                break
    return best


def longest_run(part: Part, found: list[str]) -> int:
    """How many words of a part of a query stand one after the other in a line."""
    first, *others = part.words
    if part.begins:
        return any(word.startswith(first) for word in found)
    if first not in found or not others:
        return first in found
    begins = [place for place, word in enumerate(found) if word == first]
    return max(sum(itertools.takewhile(bool, map(operator.eq, found[begin:], part.words))) for begin in begins)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        found = Index(sys.argv[1]).search(" ".join(sys.argv[2:]))
    except (OSError, ValueError) as error:
        sys.exit(f"search.py: {error}")
    for hit in found:
        print(f"{hit.score:7.3f}  {hit.path}  {hit.line}")

"""What the workers do: some files become a small index of their own, which the caller puts together with the others."""

from __future__ import annotations

import sys
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from words import LONGEST, NotText, decoded, read, words


class Item(NamedTuple):
    """A file: its number, its path, and its bytes, if they are not to be read where the work is done."""

    number: int
    path: str
    data: bytes | None = None


class Part(NamedTuple):
    """The index of some files.

    It has tens of thousands of lists, which are put behind each other: what comes from another machine is looked at
    value by value, and then a few long ones cost a fraction of many short ones.

    Attributes:
        lengths: how many words each file has, by its number.
        skipped: why a file is not in it, by its number.
        words: the different words, with a space between them.
        sizes: of each word in how many files it is, and how often altogether; all in turn, as the following.
        files: of each word the numbers of its files.
        counts: ... and how often it is in each.
        places: ... and at which places, file after file.
    """

    lengths: dict[int, int]
    skipped: dict[int, str]
    words: str
    sizes: bytes
    files: bytes
    counts: bytes
    places: bytes

    def postings(self) -> Iterator[tuple[str, tuple[bytes, bytes, bytes]]]:
        """Each word, with its files, counts and places."""
        sizes = unpacked(self.sizes)
        at = where = 0
        for word, files, places in zip(self.words.split(), sizes[::2], sizes[1::2]):  # noqa: B905 - new in 3.10
            to, end = at + 4 * files, where + 4 * places
            yield word, (self.files[at:to], self.counts[at:to], self.places[where:end])
            at, where = to, end


def postings(items: list[Item]) -> Part:
    """Index some files. One that cannot be read is skipped, and said to be."""
    lengths: dict[int, int] = {}
    skipped: dict[int, str] = {}
    files, counts, places = defaultdict(list), defaultdict(list), defaultdict(list)
    for number, path, data in items:
        try:
            text = words(decoded(read(path) if data is None else data))
        except (OSError, NotText) as error:
            skipped[number] = reason(error)
            continue
        lengths[number] = len(text)
        for word, at in places_of(text).items():
            files[word].append(number)
            counts[word].append(len(at))
            places[word] += at
    sizes = packed(size for word in files for size in (len(files[word]), len(places[word])))
    lists = (packed(chain.from_iterable(each.values())) for each in (files, counts, places))
    return Part(lengths, skipped, " ".join(files), sizes, *lists)


def places_of(found: list[str]) -> dict[str, list[int]]:
    """Where each word stands in a text."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(found):
        places[word].append(place)
    return {word: at for word, at in places.items() if len(word) <= LONGEST}


def reason(error: OSError | NotText) -> str:
    """Why a file could not be read, without its name."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def packed(numbers: Iterable[int]) -> bytes:
    """Numbers as they are on disk: four bytes each, the lowest first."""
    found = array("I", numbers)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def unpacked(data: bytes) -> array[int]:
    """The numbers again."""
    found = array("I")
    found.frombytes(data)
    if sys.byteorder == "big":
        found.byteswap()
    return found

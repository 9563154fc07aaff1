"""Names of many hosts in short: ``web[01-20].example.com,db1``. What `names.expand` makes of it are the same names."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["fold", "shortly"]

_PARTS = re.compile(r"([0-9]+)")
_ADDRESS = re.compile(r"[0-9a-fA-F:.%]*:[0-9a-fA-F:.%]*:|\[")  # IPv6, in which a range would mean something else


def fold(names: Iterable[str]) -> str:
    """The names with ranges, in the order in which they come first; each once."""
    return ",".join(_folded(names))


def shortly(names: Iterable[str], most: int = 5) -> str:
    """The same for a sentence: commas with spaces, and no more than `most` parts."""
    parts = _folded(names)
    if len(parts) <= most:
        return ", ".join(parts)
    return f"{', '.join(parts[: most - 1])} and {len(parts) - most + 1:,} more"


def _folded(names: Iterable[str]) -> list[str]:
    """Names that differ in one number are one part.

    The number is the one that differs most often among names of the same shape, so that ``rack1-web01`` and its
    like become ``rack1-web[01-40]``.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(names):
        user, at, place = name.rpartition("@")  # a range is none before the @
        found.setdefault((user + at, *_PARTS.split(place)[::2]), []).append(place)
    return [user + part for (user, *shape), alike in found.items() for part in _ranges(shape, alike)]


def _ranges(shape: list[str], places: list[str]) -> list[str]:
    if len(places) == 1 or len(shape) == 1 or any(map(_unfit, places)):
        return places
    split = [_PARTS.split(place) for place in places]
    counts = [len({parts[at] for parts in split}) for at in range(1, len(split[0]), 2)]
    at = 2 * max(range(len(counts)), key=lambda n: (counts[n], n)) + 1
    alike: dict[tuple[str, str], list[str]] = {}
    for parts in split:
        alike.setdefault(("".join(parts[:at]), "".join(parts[at + 1 :])), []).append(parts[at])
    return [f"{head}{_numbers(numbers)}{tail}" for (head, tail), numbers in alike.items()]


def _unfit(place: str) -> bool:
    """Brackets would mean something else in it."""
    return _ADDRESS.match(place) is not None


def _numbers(texts: list[str]) -> str:
    """``01``, ``[01-20]``, ``[1-3,7]``."""
    if len(texts) == 1:
        return texts[0]
    texts = sorted(texts, key=lambda text: (len(text), int(text)))
    runs: list[list[str]] = []
    for text in texts:
        # A range keeps the width of its first number, so 9 and 10 go on, 09 and 10 do, 09 and 9 do not.
        if runs and text == f"{int(runs[-1][-1]) + 1:0{len(runs[-1][0])}}":
            runs[-1].append(text)
        else:
            runs.append([text])
    return f"[{','.join(run[0] if len(run) == 1 else f'{run[0]}-{run[-1]}' for run in runs)}]"

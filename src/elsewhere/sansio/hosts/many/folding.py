"""Names of many hosts in short: ``web[01-20].example.com,db1``. What `names.expand` makes of it are the same names."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["fold", "shortly"]

_NUMBER = re.compile(r"[0-9]+")
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
    order = list(dict.fromkeys(names))
    for name in order:
        found.setdefault(tuple(_PARTS.split(name)[::2]), []).append(name)
    return [part for shape, alike in found.items() for part in _ranges(shape, alike)]


def _ranges(shape: tuple[str, ...], names: list[str]) -> list[str]:
    if len(names) == 1 or len(shape) == 1 or any(map(_unfit, names)):
        return names
    split = [_PARTS.split(name) for name in names]
    counts = [len({parts[at] for parts in split}) for at in range(1, len(split[0]), 2)]
    at = 2 * max(range(len(counts)), key=lambda n: (counts[n], n)) + 1
    alike: dict[tuple[str, str], list[str]] = {}
    for parts in split:
        alike.setdefault(("".join(parts[:at]), "".join(parts[at + 1 :])), []).append(parts[at])
    return [f"{head}{_numbers(numbers)}{tail}" for (head, tail), numbers in alike.items()]


def _unfit(name: str) -> bool:
    """A name in which brackets would mean something else, or in which a number is none."""
    place = name.rpartition("@")[2]
    return _ADDRESS.match(place) is not None or "[" in name


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

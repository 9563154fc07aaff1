"""What a pickling has promised to whoever loads it, and how to take that back when the pickle is thrown away.

Rule: whoever pickles in order to try asks `mark` before, and calls `take_back` with it if the bytes are not sent. A
promise is an open descriptor, say, that is kept until somebody has loaded the pickle: of a pickle that nobody gets, it
would be kept for ever.
"""

from __future__ import annotations

from _thread import get_ident
from collections import deque
from collections.abc import Callable

__all__ = ["mark", "note", "take_back"]

MOST = 4096  # promises of one pickle that can be taken back; older ones are taken to be sent

_count = 0
_issued: deque[tuple[int, int, Callable[[], object]]] = deque(maxlen=MOST)  # thread, number, how to take it back


def note(take_back: Callable[[], object]) -> None:
    """This thread pickles something, and this is how to take its promise back."""
    global _count
    _count += 1
    _issued.append((get_ident(), _count, take_back))


def mark() -> int:
    """What `take_back` is to be called with if the pickling that begins now was in vain."""
    return _count


def take_back(mark: int) -> None:
    """Nobody gets what this thread has pickled since."""
    if _count == mark:
        return
    thread = get_ident()
    for entry in [entry for entry in list(_issued) if entry[0] == thread and entry[1] > mark]:
        _issued.remove(entry)
        entry[2]()

"""The mapped parts of a queue's memory: windows of its log, and rings.

A ring is room for the bodies of larger items that is used again and again.

Rule: the log alone says what is in the queue. The ring holds only bodies that a record of the log points to, and is
left out when it has no room: then the body stands in the log, as a small one does. So nobody depends on the ring.

New memory costs more than the copy that is made into it: 10 kB take 4.8 µs to write to pages that the kernel must find
and take back afterwards, and 0.2 µs to pages that are there. A log that only grows has none of those.

::

    written:   where the next body goes; grows for ever, and is stored before the log's TAIL
    freed:     bodies before it were taken; stored after the log's HEAD

A writer that is killed between its two stores leaves a gap, a reader a body that nobody needs. Both are passed over
when the next body of the ring is taken, whose end becomes `freed`. No such loss is larger than one body, and there is
room for several.

A writer that is faster than the readers would fill the ring and then pay for new memory all the time, more than it
wins. So it waits a little for room; if there was none in `PATIENCE`, nobody reads, and the next `PENANCE` do not wait.
"""

from __future__ import annotations

import mmap
import os
import time

__all__ = ["WINDOW", "Ring", "Window"]

WINDOW = 1 << 18  # bytes; so much each queue takes at least
SPARE = 1 << 18  # bytes from which a copy goes to memory that is kept for that, new memory being dear
PATIENCE = 0.002  # seconds: more than a reader takes for the largest body
PENANCE = 100  # bodies; so what is waited in vain comes to 20 µs for each
PAUSE = 0.00005  # seconds between two looks; the ring is full meanwhile, so no reader runs dry


class Window:
    """The part of the log with this offset: for the writer's end, or the reader's."""

    __slots__ = ("begin", "end", "view")

    def __init__(self, fd: int, at: int, *, write: bool) -> None:
        self.begin = at - at % WINDOW
        self.end = self.begin + WINDOW
        if write or os.fstat(fd).st_size < self.end:  # so that no later access can fail
            os.posix_fallocate(fd, self.begin, WINDOW)
        self.view = memoryview(mmap.mmap(fd, WINDOW, offset=self.begin))


class Ring:
    """One process's view of it. Its callers hold the log's mutexes: writers one, readers the other.

    Args:
        fd: the queue's memory.
        offset: where the ring is in there.
        room: its bytes, which the queue keeps from now on.
        words: the page of words.
        written: which of them is `written`.
        freed: which of them is `freed`.

    Raises:
        OSError: there is no memory for it.
    """

    def __init__(self, fd: int, offset: int, room: int, words: memoryview, written: int, freed: int) -> None:
        os.posix_fallocate(fd, offset, room)  # so that no later access can fail; nothing if it is there
        self._view = memoryview(mmap.mmap(fd, room, offset=offset))
        self._room = room
        self._words, self._written, self._freed = words, written, freed
        self._penance = 0
        self._spare: bytearray | None = None

    def wait(self, size: int) -> None:
        """Wait a little for room, if that seems to be worth it; without a mutex, so there may be none all the same."""
        words, most = self._words, self._room - size
        if words[self._written] - words[self._freed] <= most:
            return
        if self._penance:
            self._penance -= 1
            return
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(PAUSE)
            if words[self._written] - words[self._freed] <= most:
                return
        self._penance = PENANCE

    def write(self, body: bytes | memoryview, *, empty: bool) -> int:
        """Where the body is now; -1 if there is no room.

        Args:
            body: the bytes.
            empty: the log is, so what seems to be taken up here are gaps, and bodies that were taken.
        """
        words, room, size = self._words, self._room, len(body)
        at: int = words[self._written]
        if at + size - words[self._freed] > room:
            if not empty or size > room:
                return -1
            words[self._freed] = at
        begin = at % room
        first = min(size, room - begin)
        if first == size:
            self._view[begin : begin + size] = body
        else:
            self._view[begin:] = body[:first]
            self._view[: size - first] = body[first:]
        words[self._written] = at + size
        return at

    def read(self, at: int, size: int) -> bytes | memoryview:
        """A copy of a body. A memoryview is for `reuse` afterwards."""
        begin = at % self._room
        end = begin + size
        whole = end <= self._room
        if size < SPARE:
            return (
                bytes(self._view[begin:end])
                if whole
                else b"".join((self._view[begin:], self._view[: end - self._room]))
            )
        spare, self._spare = self._spare, None
        copy = memoryview(spare or bytearray(self._room // 4))[:size]
        if whole:
            copy[:] = self._view[begin:end]
        else:
            copy[: self._room - begin] = self._view[begin:]
            copy[self._room - begin :] = self._view[: end - self._room]
        return copy

    def reuse(self, copy: memoryview) -> None:
        """The copy is not needed any more."""
        self._spare = copy.obj  # type: ignore[assignment]  # the bytearray that `read` made

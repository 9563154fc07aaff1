"""The page a worker and its pool share: status words, and a ring of results that survive the worker.

Rule: this is the only file that knows where anything lies on the page.

A result is written here before the worker's next call begins, and the pool holds the memory, so what was finished is
kept whatever happens to the worker. The socket is only the doorbell.

::

    words   STARTED  calls begun in the worker's life          worker writes
            SINCE    when the last of them began, ns           (time.monotonic_ns)
            TAIL     where the ring's closed records end       counted over the worker's life, a multiple of 8
            OPEN     the open segment that begins at TAIL      offset // 8 (24 bits) | calls (16) | bytes (24)
                     or the open lane there                    offset // 8 (24 bits) | kind (16) | first call (24)
            HEAD     where the pool has read up to             pool writes
            INTERRUPT  ordinal << 1 | cancelled
            MAIL     changes when there is something to read on the socket: recalls << 32 | skips
    ring    records: a word (kind << 56 | calls << 32 | bytes), then the bytes, padded to 8

A *segment* holds the results of many calls, each pickled alone, as bare opcodes: the pool loads them with one call
as MARK, items, LIST, STOP. It grows in place: one aligned store of OPEN publishes a further result. OPEN names the
offset it speaks of, so after TAIL has moved on it means nothing; no order between the two stores is needed. It is
cleared all the same, later, because its 24 bits of offset come round again every 128 MiB.

A *lane* holds results of one kind as plain words of 8 bytes: ints, floats, or nothing at all for None. While it is open
STARTED is its count: the worker stores a result before it begins the next call, so all calls before STARTED are there.
It is closed before anything else is done with the page.

Order of memory: the pool reads what a frame on the socket told it (the system calls order that), what a dead worker
left (its exit orders that), or what it saw itself one look earlier; aligned stores of 8 bytes are plain moves.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import Any, NamedTuple

__all__ = ["CLOSE", "HEAD", "INTERRUPT", "LARGEST_RECORD", "MAIL", "OPEN", "PREFIX", "RING", "SINCE", "STARTED", "TAIL"]
__all__ += ["ERROR", "FLOATS", "INTS", "LANE_CALLS", "NONES", "SEGMENT", "SKIPPED", "VALUE", "Page", "Record"]
__all__ += ["make_memory"]

STARTED, SINCE, TAIL, OPEN = 0, 1, 2, 3  # the worker's words
HEAD, INTERRUPT, MAIL = 8, 9, 10  # the pool's words, on another cache line
WORDS = 128  # bytes
RING = 1 << 18  # bytes; some thousand small results, far more than come between two doorbells
LARGEST_RECORD = RING // 8  # bytes; larger ones go over the socket
LARGEST_SEGMENT = 0x8000  # bytes, and half of OPEN's 16 bits for calls is never reached
LANE_CALLS = 1024  # in one lane
LANE = 0xFF00  # in OPEN's 16 bits for calls: not a count, but this and the lane's kind

SEGMENT, VALUE, ERROR, SKIPPED, WRAP, INTS, FLOATS, NONES = range(1, 9)  # kinds of records
WIDTH = {INTS: 8, FLOATS: 8, NONES: 0}  # bytes of a result in a lane
PREFIX, CLOSE = b"\x80\x05(", b"l."  # PROTO 5, MARK ... LIST, STOP (opcodes of the pickle module)


class Record(NamedTuple):
    """What the pool reads: `calls` results in `data`; those of a lane are the values themselves."""

    kind: int
    calls: int
    data: bytes | list[Any]


_record = tuple.__new__  # half the time of Record(...)


def make_memory(size: int) -> int:
    """A file descriptor of anonymous memory: nothing to clean up, no name, gone with its last user."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("elsewhere", os.MFD_CLOEXEC)
    else:  # macOS
        import tempfile  # with what it needs, 6 ms that only macOS has to spend

        fd, path = tempfile.mkstemp(prefix="elsewhere-")
        os.unlink(path)
    os.ftruncate(fd, size)
    return fd


class Page:
    """Both ends' view of the page; `words` and `ring` are memoryviews.

    Args:
        fd: from `make_memory` with `Page.SIZE`; not closed here.
    """

    SIZE = WORDS + RING

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, self.SIZE)
        whole = memoryview(self._memory)
        self.words = whole[:WORDS].cast("Q")
        self.ring = whole[WORDS:]
        self.ring_words = self.ring.cast("Q")
        self.lanes: dict[int, memoryview[Any]] = {INTS: self.ring.cast("q"), FLOATS: self.ring.cast("d")}
        whole.release()
        self._taken = (0, 0, 0)  # offset, calls and bytes already read of an open segment

    def close(self) -> None:
        """Unmap it."""
        with contextlib.suppress(BufferError, ValueError):
            self.words.release()
            self.ring_words.release()
            for lane in self.lanes.values():
                lane.release()
            self.ring.release()
            self._memory.close()

    # ---- the pool's end ------------------------------------------------------------------------------------------

    def state(self) -> tuple[int, int]:
        """TAIL and OPEN as they are now, to be given to `read`; a lane with its count where its first call stands."""
        words = self.words
        while True:
            tail, opened = words[TAIL], words[OPEN]
            if opened >> 24 & 0xFFFF < LANE:
                return tail, opened
            started = words[STARTED]
            if words[OPEN] == opened and words[TAIL] == tail:  # it was open at the moment when STARTED was read
                count = started - opened & 0xFFFFFF
                return tail, opened & ~0xFFFFFF | (count if count <= LANE_CALLS else 0)  # it may not have begun one

    def read(self, tail: int, open_segment: int) -> list[Record]:
        """The records up to a state that is known to be whole; frees their room."""
        records: list[Record] = []
        head = self.words[HEAD]
        start, calls, size = self._taken
        while head < tail:
            at = head % RING
            word = self.ring_words[at // 8]
            kind, count, length = word >> 56, word >> 32 & 0xFFFFFF, word & 0xFFFFFFFF
            if kind == WRAP:
                head += RING - at
                continue
            known = calls if start == head else 0
            if count > known:
                skip = size if known else 0
                data = self._data(kind, at + 8 + skip, at + 8 + length, count - known)
                records.append(_record(Record, (kind, count - known, data)))
            head += 8 + (length + 7 & ~7)
        count, length = open_segment >> 24 & 0xFFFF, open_segment & 0xFFFFFF
        if head == tail and open_segment and open_segment >> 40 == tail // 8 & 0xFFFFFF:  # not one read already
            at = head % RING
            if start != head:
                calls = size = 0
            kind = SEGMENT
            if count >= LANE:
                kind, count = count - LANE, length
                length = count * WIDTH[kind]
            if count > calls:
                data = self._data(kind, at + 8 + size, at + 8 + length, count - calls)
                records.append(_record(Record, (kind, count - calls, data)))
                self._taken = (head, count, length)
        self.words[HEAD] = head
        return records

    def _data(self, kind: int, lo: int, hi: int, count: int) -> bytes | list[Any]:
        """A part of the ring as what it is."""
        if kind == NONES:
            return [None] * count
        lane = self.lanes.get(kind)
        if lane is None:
            return self.ring[lo:hi].tobytes()
        values: list[Any] = lane[lo // 8 : hi // 8].tolist()
        return values


class Writer:
    """The worker's end of the ring."""

    def __init__(self, page: Page) -> None:
        self._words = page.words
        self._ring = page.ring
        self._ring_words = page.ring_words
        self._lanes = page.lanes
        self._tail = 0
        self._at = 0  # TAIL within the ring
        self._calls = self._size = 0  # of the open segment

    def _fits(self, size: int) -> bool:
        """Make room at the tail for a record of `size` bytes in one piece, if there is any."""
        need = 16 + (size + 7 & ~7)  # its word, and one for a WRAP behind it
        if self._at + need > RING:
            if self._tail + RING - self._at + need - self._words[HEAD] > RING:
                return False
            self._ring_words[self._at // 8] = WRAP << 56
            self._move(self._tail + RING - self._at)
        return self._tail + need - self._words[HEAD] <= RING

    def _move(self, tail: int) -> None:
        self._tail, self._at = tail, tail % RING
        self._words[TAIL] = tail

    def close_segment(self) -> None:
        """Make the open segment, if any, a record of its own."""
        if self._calls:
            self._ring_words[self._at // 8] = SEGMENT << 56 | self._calls << 32 | self._size
            size, self._calls, self._size = self._size, 0, 0
            self._move(self._tail + 8 + (size + 7 & ~7))
            self._words[OPEN] = 0

    def append(self, opcodes: bytes) -> bool:
        """Add one result to the open segment; False if there is no room now."""
        size = self._size
        end = size + len(opcodes)
        if not size or end > LARGEST_SEGMENT:
            if size:
                self.close_segment()
                size, end = 0, len(opcodes)
            if not self._fits(LARGEST_SEGMENT):
                return False
        at = self._at + 8
        self._ring[at + size : at + end] = opcodes
        self._calls += 1
        self._size = end
        self._words[OPEN] = (self._tail // 8 & 0xFFFFFF) << 40 | self._calls << 24 | end
        return True

    def lane(self, kind: int, calls: int, first: int) -> memoryview[Any] | list[Any] | None:
        """Open a lane for the results of `calls` calls (at most `LANE_CALLS`), counted from `first`; None if no room.

        Results are stored into what this gives; the n-th is known to the pool once STARTED is beyond ``first + n``.
        """
        self.close_segment()
        if not self._fits(8 * calls):
            return None
        self._words[OPEN] = (self._tail // 8 & 0xFFFFFF) << 40 | (LANE | kind) << 24 | first & 0xFFFFFF
        at = self._at // 8 + 1
        return self._lanes[kind][at : at + calls] if kind != NONES else [None] * calls

    def close_lane(self, kind: int, calls: int) -> None:
        """Make the open lane a record that holds so many results."""
        if calls:
            size = calls * WIDTH[kind]
            self._ring_words[self._at // 8] = kind << 56 | calls << 32 | size
            self._move(self._tail + 8 + size)
        self._words[OPEN] = 0

    def record(self, kind: int, data: bytes) -> bool:
        """Add a record of its own; False if it is too large or there is no room now."""
        self.close_segment()
        size = len(data)
        if size > LARGEST_RECORD or not self._fits(size):
            return False
        self._ring_words[self._at // 8] = kind << 56 | 1 << 32 | size
        self._ring[self._at + 8 : self._at + 8 + size] = data
        self._move(self._tail + 8 + (size + 7 & ~7))
        return True

    def state(self) -> tuple[int, int]:
        """TAIL and OPEN, for a frame."""
        return self._tail, self._words[OPEN]

"""A log of items in shared memory that processes append to and take from: what our queues are made of.

::

    page:   nonce   TAIL   WRITTEN   HEAD   FREED   DONE   who sleeps   three mutexes
    rings:  bodies of larger items, of large ones                           ring.py
    log:    ... ordinal │ length body ordinal │ ~place length ordinal │ length body ordinal │
                       HEAD                    (in a ring)                                 TAIL

Rule: each step is published by one store of one word, under a mutex that the kernel frees. A writer that is killed
before it stores TAIL has written nothing; a reader that is killed before it stores HEAD has taken nothing, and after it
has taken one item. There is nothing to repair.

How many items were put is the ordinal in front of TAIL, how many were taken the one in front of HEAD: no counter has to
agree with them. Offsets only grow; the pages behind HEAD are given back to the system. Small items are written to and
read from a window of the file that is mapped, larger ones go through a ring while it has room, others by system
calls, which need no pages of the mapping.

An exception of a signal handler (Ctrl-C) between two steps leaves the mutex free. Before TAIL is stored nothing was
put, afterwards the item is there, although `put` raises. An item that was taken when `take` is cut off is written in
front of HEAD again: the place of what was taken is free, and the ordinals on both sides are the same as before.

The log needs no thread and no room in a pipe, so a process that ends has nothing to hand over.

On the order of memory: who publishes passes a locked instruction (of the mutex) between its store and its look at who
sleeps, and who is about to sleep leaves the last look at the word to the kernel. Where that is not enough, the sleep
has an end.
"""

from __future__ import annotations

import ctypes
import errno
import threading
import time
from os import pread, pwrite
from struct import Struct

from elsewhere.process.sync import kernel
from elsewhere.process.sync.block import SIZE, Block
from elsewhere.process.sync.ring import WINDOW, Ring, Window
from elsewhere.runtime.locks import mutex as mutexes
from elsewhere.runtime.locks.mutex import give_up, try_lock, unlock
from elsewhere.sansio.spinning import Spinning

__all__ = ["Log"]

# Words of the page; those that different processes write are on different lines of the processors' caches.
TAIL, WRITTEN, HEAD, FREED, DONE = 8, (9, 10), 16, (17, 18), 24
READERS, WRITERS, JOINERS = 32, 33, 34  # does anybody sleep, perhaps?
READING, WRITING, COUNTING = 64, 72, 80  # mutexes
NUMBER = Struct("<q")
RINGS = (1 << 20, 1 << 22)  # bytes: memory that a queue keeps once it has had an item of that ring
LARGEST = tuple(room // 4 for room in RINGS)  # bytes of a body there
LOG = SIZE + sum(RINGS)  # where the log begins
FIRST = LOG + 2 * LARGEST[1] + NUMBER.size  # behind the ordinal 0; what is given back needs room in front of it
PURGE = 1 << 20  # bytes after which memory is given back
MOST_GUESSED = 1 << 20  # bytes: a guess that is wrong costs a copy
SMALL = 1 << 11  # bytes: up to this, bodies stand in the log
JOINED = 1 << 14  # bytes: up to this, one system call and a copy cost less than three
NOW = 0.1  # seconds that get_nowait waits for a mutex: it is held for microseconds, but its holder may be stopped
PUNCH = 3  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
NESTED = -2  # instead of an answer of try_lock: what was interrupted has the mutex

_fallocate = ctypes.CDLL(None).fallocate
_fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_pack, _unpack = NUMBER.pack, NUMBER.unpack_from
_BOTH = 2 * NUMBER.size  # around a body
_IN_RING = NUMBER.size + _BOTH  # bytes of a record that points into the ring


class Log:
    """One process's end of it.

    Args:
        block: as it arrived from another process; None makes a new one.
    """

    def __init__(self, block: Block | None = None) -> None:
        new = block is None
        if block is None:
            block = Block.make("Queue")
            pwrite(block.fd, _pack(0), FIRST - NUMBER.size)
            block.words[TAIL] = block.words[HEAD] = FIRST
        self.block = block
        self._fd, self._words = block.fd, block.words
        self._reading, self._writing, self._counting = (
            ctypes.byref((ctypes.c_char * mutexes.SIZE).from_buffer(block.words, 8 * at))
            for at in (READING, WRITING, COUNTING)
        )
        if new:
            for mutex in (self._reading, self._writing, self._counting):
                mutexes.make(mutex)
        self._last = -1, 0  # where TAIL was when this process last knew the ordinal, and the ordinal
        self._known = self._gone = 0  # so many were put, and so many taken, or more
        self._front: Window | None = None  # where it writes
        self._back: Window | None = None  # where it reads
        self._guess = SMALL  # bytes of an item that is read by a system call: as many as the last
        self._rings: list[Ring | None] = [None, None]
        self._spinning = Spinning()

    # ---- putting and taking --------------------------------------------------------------------------------------

    def put(self, body: bytes | memoryview, most: int = 0, block: bool = True, deadline: float | None = None) -> bool:
        """Append an item; False if there were too many, `most` or more, all the time."""
        words, mutex = self._words, self._writing
        if block and SMALL <= len(body) <= LARGEST[1]:
            self._ring_for(len(body)).wait(len(body))
        while True:
            seen = words[HEAD] if most > 0 else 0
            code, room = -1, True
            try:
                code = try_lock(mutex)
                if code and self._nested(WRITING, code):
                    code = NESTED
                    raise _in_use()
                if code and not mutexes.acquire(mutex, code, deadline if block else time.monotonic() + NOW):
                    return False
                if most > 0 and self.put_so_far() - self._gone >= most:
                    self._gone = self._ordinal(HEAD)
                    room = self.put_so_far() - self._gone < most
                if room:
                    self._append(body)
            finally:
                if not code:
                    unlock(mutex)
                elif code != NESTED:
                    give_up(mutex)
            if room:
                if words[READERS]:
                    self._ring(READERS, TAIL)
                return True
            if not block or not self._wait(WRITERS, HEAD, seen, deadline):
                return False

    def _append(self, body: bytes | memoryview) -> None:
        tail = self._words[TAIL]
        at, ordinal = self._last
        if at != tail:
            ordinal = self._ordinal(TAIL)
        ordinal += 1
        length = len(body)
        place = -1
        if SMALL <= length <= LARGEST[1]:
            place = self._ring_for(length).write(body, empty=self._words[HEAD] == tail)
        if place >= 0:
            record, end = _pack(~place) + _pack(length) + _pack(ordinal), tail + _IN_RING
        else:
            record = b"".join((_pack(length), body, _pack(ordinal))) if length < JOINED else b""
            end = tail + length + _BOTH
        small = end - tail < SMALL + _BOTH
        front = self._front
        if small and front is not None and front.begin <= tail and end <= front.end:
            front.view[tail - front.begin : end - front.begin] = record
        else:
            self._write_large(body, record, ordinal, tail, end)
            if small and (front is None or end >= front.end):  # the next may be small, too
                self._front = Window(self._fd, end, write=True)
        self._words[TAIL] = end
        self._last = end, ordinal

    def _write_large(self, body: bytes | memoryview, record: bytes, ordinal: int, tail: int, end: int) -> None:
        if record:
            _write(self._fd, record, tail)
            return
        _write(self._fd, _pack(len(body)), tail)
        _write(self._fd, body, tail + NUMBER.size)
        _write(self._fd, _pack(ordinal), end - NUMBER.size)

    def _ring_for(self, length: int) -> Ring:
        """The one that has, or would have, a body of this length."""
        which = int(length > LARGEST[0])
        found = self._rings[which]
        if found is None:
            offset = SIZE + sum(RINGS[:which])
            found = Ring(self._fd, offset, RINGS[which], self._words, WRITTEN[which], FREED[which])
            self._rings[which] = found
        return found

    def take(self, block: bool = True, deadline: float | None = None) -> bytes | memoryview | None:
        """The oldest item; None if there was none all the time. Who has unpickled it calls `done_with`."""
        words, mutex = self._words, self._reading
        while True:
            tail = words[TAIL]
            if words[HEAD] != tail:
                code, body, taken = -1, None, False
                try:
                    try:
                        code = try_lock(mutex)
                        if code and self._nested(READING, code):
                            code = NESTED
                            raise _in_use()
                        if code and not mutexes.acquire(mutex, code, deadline if block else time.monotonic() + NOW):
                            return None
                        head = words[HEAD]
                        if head != words[TAIL]:
                            body, end, freed = self._read(head)
                            words[HEAD] = end
                            taken = True
                            if freed:
                                words[FREED[len(body) > LARGEST[0]]] = freed
                            if end // PURGE != head // PURGE:
                                self._purge(end)
                    finally:
                        if not code:
                            unlock(mutex)
                        elif code != NESTED:
                            give_up(mutex)
                    if taken:
                        self._announce()
                        return body
                except BaseException:  # a signal handler's
                    if taken and body is not None:
                        self.give_back(body)
                    raise
            if not block or not self._wait(READERS, TAIL, tail, deadline):
                return None

    def give_back(self, body: bytes | memoryview) -> None:
        """What was taken, and did not reach who wanted it, is the oldest item again."""
        words, mutex, code = self._words, self._reading, -1
        begin = FIRST
        try:
            code = try_lock(mutex)
            if code:
                mutexes.acquire(mutex, code, None)
            head = words[HEAD]
            begin = head - len(body) - _BOTH
            if begin >= LOG + NUMBER.size:
                before = _pack(self._ordinal(HEAD) - 1) + _pack(len(body))
                _write(self._fd, b"".join((before, body)), begin - NUMBER.size)
                words[HEAD] = begin
        finally:
            if not code:
                unlock(mutex)
            else:
                give_up(mutex)
        if begin < LOG + NUMBER.size:  # many large ones in a row, at the very beginning: rather late than never
            self.put(body)
        elif words[READERS]:
            self._ring(READERS, TAIL)

    def done_with(self, body: bytes | memoryview) -> None:
        """Nobody looks at what `take` gave any more."""
        if type(body) is memoryview:
            self._ring_for(len(body)).reuse(body)

    def _announce(self) -> None:
        """An item was taken."""
        words = self._words
        if words[WRITERS]:
            self._ring(WRITERS, HEAD)
        if words[READERS] and words[HEAD] != words[TAIL]:  # of several items only one may have been announced
            self._ring(READERS, TAIL)

    def _purge(self, end: int) -> None:
        """Give memory back up to the ordinal in front of `end`; under the mutex, or `give_back` might use it again."""
        keep = (end - NUMBER.size) // SIZE * SIZE
        _fallocate(self._fd, PUNCH, LOG, keep - LOG)  # a refusal costs memory, nothing else

    def _read(self, head: int) -> tuple[bytes | memoryview, int, int]:
        """The item at HEAD: its body, where the next begins, and up to where it frees its ring, or 0.

        The body is a copy, as others may use its place again as soon as it is taken.
        """
        back = self._back
        if back is not None and back.begin <= head <= back.end - _IN_RING:
            begin = head - back.begin + NUMBER.size
            (length,) = _unpack(back.view, begin - NUMBER.size)
            if length < 0:
                return self._from_ring(head, ~length, _unpack(back.view, begin)[0])
            if length < SMALL and begin + length <= WINDOW:
                return bytes(back.view[begin : begin + length]), head + length + _BOTH, 0
            found = b""
        else:
            found = pread(self._fd, self._guess, head)
            (length,) = _unpack(found)
            small = length < SMALL  # the next may be small, too
            if small:
                self._back = Window(self._fd, head + max(length, NUMBER.size) + _BOTH, write=False)
            if length < 0:
                return self._from_ring(head, ~length, _unpack(found, NUMBER.size)[0])
            self._guess = max(_IN_RING, min(NUMBER.size + length, MOST_GUESSED))
            if NUMBER.size + length <= len(found):
                return found[NUMBER.size : NUMBER.size + length], head + length + _BOTH, 0
        return _read(self._fd, length, head + NUMBER.size), head + length + _BOTH, 0

    def _from_ring(self, head: int, place: int, length: int) -> tuple[bytes | memoryview, int, int]:
        return self._ring_for(length).read(place, length), head + _IN_RING, place + length

    # ---- how many ------------------------------------------------------------------------------------------------

    def _ordinal(self, word: int) -> int:
        while True:
            at = self._words[word]
            found = pread(self._fd, NUMBER.size, at - NUMBER.size)
            if self._words[word] == at:  # else the page may have been given back meanwhile
                return int(_unpack(found)[0])

    def put_so_far(self) -> int:
        """How many items were put since the beginning."""
        at, ordinal = self._last
        return ordinal if at == self._words[TAIL] else self._ordinal(TAIL)

    def size(self) -> int:
        """How many items there are; it may be another number by now."""
        taken = self._ordinal(HEAD)
        return max(0, self.put_so_far() - taken)

    def empty(self) -> bool:
        return bool(self._words[HEAD] == self._words[TAIL])

    # ---- items that are done with --------------------------------------------------------------------------------

    def done(self) -> bool:
        """One more item is done with; False if all were already."""
        words, mutex, code = self._words, self._counting, -1
        try:
            code = try_lock(mutex)
            if code and self._nested(COUNTING, code):
                code = NESTED
                raise _in_use()
            if code:
                mutexes.acquire(mutex, code, None)
            count = words[DONE] + 1
            if count > self._known:
                self._known = self.put_so_far()
                if count > self._known:
                    return False
            words[DONE] = count
        finally:
            if not code:
                unlock(mutex)
            elif code != NESTED:
                give_up(mutex)
        if words[JOINERS] and count >= self._known and count == self.put_so_far():
            words[JOINERS] = 0
            kernel.wake(self._address(DONE), kernel.ALL)
        return True

    def join(self) -> None:
        """Wait until all items are done with."""
        while (done := self._words[DONE]) != self.put_so_far():
            kernel.sleep(self._words, DONE, self._address(DONE), done, JOINERS, None, self._spinning)

    # ---- sleeping ------------------------------------------------------------------------------------------------

    def _address(self, word: int) -> int:
        return self.block.address + 8 * word

    def _wait(self, sleepers: int, word: int, seen: int, deadline: float | None) -> bool:
        """Until the word is not what was seen, or for a while; False when it is late."""
        if deadline is not None and time.monotonic() >= deadline:
            return False
        kernel.sleep(self._words, word, self._address(word), seen, sleepers, deadline, self._spinning)
        return True

    def _nested(self, at: int, code: int) -> bool:
        """Is it this thread that has the mutex, below the signal handler or the finalizer that runs now?"""
        futex = self._words[at + mutexes.FUTEX // 2] >> 32 * (mutexes.FUTEX % 2)
        return bool(code == errno.EBUSY and futex & mutexes.HOLDER == threading.get_native_id())

    def _ring(self, sleepers: int, word: int) -> None:
        """Wake one of those that sleep. The mark stays if there was one, as there may be more."""
        self._words[sleepers] = 0
        if kernel.wake(self._address(word)) > 0:
            self._words[sleepers] = 1


def _in_use() -> RuntimeError:
    return RuntimeError(
        "a queue cannot be used by a signal handler or a finalizer that has interrupted the same thread in the same "
        "queue's put() or get(): let it set a flag, or use a queue of its own"
    )


def _write(fd: int, data: bytes | memoryview, offset: int) -> None:
    written = pwrite(fd, data, offset)
    while written < len(data):  # the kernel writes 2 GB at a time
        written += pwrite(fd, memoryview(data)[written:], offset + written)


def _read(fd: int, length: int, offset: int) -> bytes:
    body = pread(fd, length, offset)
    if len(body) == length:
        return body
    parts = [body]
    while (have := sum(map(len, parts))) < length:
        parts.append(pread(fd, length - have, offset + have))
    return b"".join(parts)

"""A log of items in shared memory that processes append to and take from: what our queues are made of.

::

    page:   nonce   TAIL   HEAD   DONE   who sleeps   three mutexes
    data:   ... ordinal │ length body ordinal │ length body ordinal │
                       HEAD                                        TAIL

Rule: each step is published by one store of one word, under a mutex that the kernel frees. A writer that is killed
before it stores TAIL has written nothing; a reader that is killed before it stores HEAD has taken nothing, and after it
has taken one item. There is nothing to repair.

How many items were put is the ordinal in front of TAIL, how many were taken the one in front of HEAD: no counter has to
agree with them. Offsets only grow; the pages behind HEAD are given back to the system. Small items are written to and
read from a window of the file that is mapped, others by system calls, which need no pages of the mapping.

The log needs no thread and no room in a pipe, so a process that ends has nothing to hand over.

On the order of memory: who publishes passes a locked instruction (of the mutex) between its store and its look at who
sleeps, and who is about to sleep leaves the last look at the word to the kernel. Where that is not enough, the sleep
has an end.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from os import pread, pwrite
from struct import Struct

from elsewhere.process.sync import kernel
from elsewhere.process.sync.block import SIZE, Block
from elsewhere.process.sync.kernel import consistent, try_lock, unlock
from elsewhere.sansio.spinning import Spinning

__all__ = ["Log"]

# Words of the page; those that different processes write are on different lines of the processors' caches.
TAIL, HEAD, DONE = 8, 16, 24
READERS, WRITERS, JOINERS = 32, 33, 34  # does anybody sleep, perhaps?
READING, WRITING, COUNTING = 64, 72, 80  # mutexes
NUMBER = Struct("<q")
FIRST = SIZE + NUMBER.size  # behind the ordinal 0
WINDOW = 1 << 18  # bytes; so much each queue takes at least
PURGE = 1 << 20  # bytes after which memory is given back
MOST_GUESSED = 1 << 20  # bytes: a guess that is wrong costs a copy
SMALL = 1 << 11  # bytes: up to this, a store into mapped memory costs less than a system call, faults of pages included
JOINED = 1 << 14  # bytes: up to this, one system call and a copy cost less than three
NOW = 0.1  # seconds that get_nowait waits for a mutex: it is held for microseconds, but its holder may be stopped
PUNCH = 3  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE

_fallocate = ctypes.CDLL(None).fallocate
_fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_pack, _unpack = NUMBER.pack, NUMBER.unpack_from
_BOTH = 2 * NUMBER.size  # around a body


class _Window:
    """The part of the file with this offset, mapped: for the writer's end, or the reader's."""

    __slots__ = ("begin", "end", "view")

    def __init__(self, fd: int, at: int, *, write: bool) -> None:
        self.begin = at - at % WINDOW
        self.end = self.begin + WINDOW
        if write or os.fstat(fd).st_size < self.end:  # so that no later access can fail
            os.posix_fallocate(fd, self.begin, WINDOW)
        self.view = memoryview(mmap.mmap(fd, WINDOW, offset=self.begin))


class Log:
    """One process's end of it.

    Args:
        block: as it arrived from another process; None makes a new one.
    """

    def __init__(self, block: Block | None = None) -> None:
        if block is None:
            block = Block.make("Queue")
            pwrite(block.fd, _pack(0), SIZE)
            block.words[TAIL] = block.words[HEAD] = FIRST
            for mutex in (READING, WRITING, COUNTING):
                kernel.make_mutex(block.address + 8 * mutex)
        self.block = block
        self._fd, self._words = block.fd, block.words
        self._reading, self._writing, self._counting = (
            block.address + 8 * mutex for mutex in (READING, WRITING, COUNTING)
        )
        self._last = -1, 0  # where TAIL was when this process last knew the ordinal, and the ordinal
        self._known = self._gone = 0  # so many were put, and so many taken, or more
        self._front: _Window | None = None  # where it writes
        self._back: _Window | None = None  # where it reads
        self._guess = SMALL  # bytes of an item that is read by a system call: as many as the last
        self._spinning = Spinning()

    # ---- putting and taking --------------------------------------------------------------------------------------

    def put(self, body: bytes, most: int = 0, block: bool = True, deadline: float | None = None) -> bool:
        """Append an item; False if there were too many, `most` or more, all the time."""
        words, mutex = self._words, self._writing
        while True:
            seen = words[HEAD] if most > 0 else 0
            code, room = -1, True
            try:
                code = try_lock(mutex)
                if code and not kernel.acquire(mutex, code, deadline if block else time.monotonic() + NOW):
                    return False
                if most > 0 and self.put_so_far() - self._gone >= most:
                    self._gone = self._ordinal(HEAD)
                    room = self.put_so_far() - self._gone < most
                if room:
                    self._append(body)
            finally:
                if code:
                    consistent(mutex)
                unlock(mutex)
            if room:
                if words[READERS]:
                    self._ring(READERS, TAIL)
                return True
            if not block or not self._wait(WRITERS, HEAD, seen, deadline):
                return False

    def _append(self, body: bytes) -> None:
        tail = self._words[TAIL]
        at, ordinal = self._last
        if at != tail:
            ordinal = self._ordinal(TAIL)
        ordinal += 1
        end = tail + len(body) + _BOTH
        record = _pack(len(body)) + body + _pack(ordinal) if len(body) < JOINED else b""
        front = self._front
        if len(body) >= SMALL:
            self._write_large(body, record, ordinal, tail, end)
        elif front is not None and front.begin <= tail and end <= front.end:
            front.view[tail - front.begin : end - front.begin] = record
        else:
            self._write_large(body, record, ordinal, tail, end)
            if front is None or end >= front.end:  # the next may be small, too
                self._front = _Window(self._fd, end, write=True)
        self._words[TAIL] = end
        self._last = end, ordinal

    def _write_large(self, body: bytes, record: bytes, ordinal: int, tail: int, end: int) -> None:
        if record:
            _write(self._fd, record, tail)
            return
        _write(self._fd, _pack(len(body)), tail)
        _write(self._fd, body, tail + NUMBER.size)
        _write(self._fd, _pack(ordinal), end - NUMBER.size)

    def take(self, block: bool = True, deadline: float | None = None) -> bytes | None:
        """The oldest item; None if there was none all the time."""
        words, mutex = self._words, self._reading
        while True:
            tail = words[TAIL]
            if words[HEAD] != tail:
                code, body, head = -1, None, 0
                try:
                    code = try_lock(mutex)
                    if code and not kernel.acquire(mutex, code, deadline if block else time.monotonic() + NOW):
                        return None
                    head = words[HEAD]
                    if head != words[TAIL]:
                        body = self._read(head)
                        words[HEAD] = head + len(body) + _BOTH
                finally:
                    if code:
                        consistent(mutex)
                    unlock(mutex)
                if body is not None:
                    self._taken(head, head + len(body) + _BOTH)
                    return body
            if not block or not self._wait(READERS, TAIL, tail, deadline):
                return None

    def _taken(self, head: int, end: int) -> None:
        """An item was taken from `head` to `end`."""
        words = self._words
        if words[WRITERS]:
            self._ring(WRITERS, HEAD)
        if words[READERS] and words[HEAD] != words[TAIL]:  # of several items only one may have been announced
            self._ring(READERS, TAIL)
        if end // PURGE != head // PURGE:
            keep = (end - NUMBER.size) // SIZE * SIZE
            _fallocate(self._fd, PUNCH, SIZE, keep - SIZE)  # a refusal costs memory, nothing else

    def _read(self, head: int) -> bytes:
        """The body of the item at HEAD: a copy, as others may give its page back as soon as it is taken."""
        back = self._back
        if back is not None and back.begin <= head <= back.end - NUMBER.size:
            begin = head - back.begin + NUMBER.size
            (length,) = _unpack(back.view, begin - NUMBER.size)
            if length < SMALL and begin + length <= WINDOW:
                return bytes(back.view[begin : begin + length])
            found = b""
        else:
            found = pread(self._fd, self._guess, head)
            (length,) = _unpack(found)
            self._guess = min(NUMBER.size + length, MOST_GUESSED)
            if length < SMALL:  # the next may be small, too
                self._back = _Window(self._fd, head + length + _BOTH, write=False)
            if NUMBER.size + length <= len(found):
                return found[NUMBER.size : NUMBER.size + length]
        return _read(self._fd, length, head + NUMBER.size)

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
            if code:
                kernel.acquire(mutex, code, None)
            count = words[DONE] + 1
            if count > self._known:
                self._known = self.put_so_far()
                if count > self._known:
                    return False
            words[DONE] = count
        finally:
            if code:
                consistent(mutex)
            unlock(mutex)
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

    def _ring(self, sleepers: int, word: int) -> None:
        """Wake one of those that sleep. The mark stays if there was one, as there may be more."""
        self._words[sleepers] = 0
        if kernel.wake(self._address(word)) > 0:
            self._words[sleepers] = 1


def _write(fd: int, data: bytes, offset: int) -> None:
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

"""multiprocessing's conditions, events and barriers, which nobody wedges who is killed while he waits.

Rule: who wakes others waits for none of them. multiprocessing's condition counts who sleeps, and waits until each that
it wakes has said so; one that was killed in its sleep never does, and `notify` hangs with the lock held. Here each
sleeper has a place in a page of shared memory, and sleeps in a futex on its word there. The kernel forgets the killed.

What is shared changes under the condition's lock alone, and the places of the dead are given to others.
"""

from __future__ import annotations

import ctypes
import errno
import multiprocessing.synchronize as theirs
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from elsewhere.errors import ProtocolError
from elsewhere.process.sync import kernel
from elsewhere.process.sync.block import Block
from elsewhere.process.sync.locks import RLock
from elsewhere.runtime.locks import mutex as mutexes
from elsewhere.runtime.memory.mapping import Mapping
from elsewhere.sansio.spinning import Spinning

__all__ = ["Barrier", "Condition", "Event"]

# Words of a condition's page: how many places were ever taken, the last ticket; then two words for each place.
TAKEN, TICKET, SCRATCH, PLACES = 8, 9, 10, 16
ROOM = 1 << 15  # bytes, for 2,040 places
LAST = ROOM // 8 - 2
CHANGING = 16  # in an event's page: the mutex of who sets or clears it
BETWEEN = (1, -1)  # states of a barrier: those of a round go, or are sent away
FREE, NOTIFIED = 0, -1  # the first word of a place, which else is a ticket: who came first is woken first
PIDS = 22  # bits of the second word: the process; above it is when that began, as numbers are used again


class _Number(int):
    """As a semaphore tells it."""

    __slots__ = ()

    def get_value(self) -> int:
        return self


class Condition(theirs.Condition):
    """`multiprocessing.Condition`, which may also be an argument of a Pool's calls.

    A process that is killed while it waits is waited for by nobody. One that is killed while it holds the lock leaves
    it locked for ever, as in multiprocessing.

    Args:
        lock: a `Lock` or `RLock`; None makes an `RLock`.
        ctx: taken and not used, as contexts of multiprocessing pass it.

    At most 2,040 wait at a time; one more is an OSError.

    Raises:
        TypeError: it is no such lock, or one with ``robust=True``.
    """

    _lock: Any
    _block: Block

    def __init__(self, lock: Any = None, *, ctx: Any = None) -> None:
        if lock is not None and not isinstance(lock, theirs.Lock | theirs.RLock):
            raise TypeError(f"a Condition needs a Lock or an RLock of processes, not {lock!r}")
        if lock is not None and not hasattr(lock, "_semlock"):
            raise TypeError("a Condition cannot use Lock(robust=True): it asks who holds it, and how often")
        block = Block.make("Condition")
        os.posix_fallocate(block.fd, 0, ROOM)
        self.__setstate__((RLock() if lock is None else lock, block))

    def __getstate__(self) -> Any:
        return self._lock, self._block

    def __setstate__(self, state: Any) -> None:
        self._lock, self._block = state
        if os.fstat(self._block.fd).st_size < ROOM:
            raise ProtocolError("this pickle is no handle of a Condition: it was forged or damaged")
        mapping = Mapping(self._block.fd, ROOM)
        self._address = mapping.address
        self._words = memoryview(mapping.exporter()).cast("B").cast("q")
        self._spinning = Spinning()
        self._make_methods()  # type: ignore[attr-defined]  # private: `acquire` and `release`

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self._lock!r}, {len(self._asleep())} wait)>"

    def wait(self, timeout: float | None = None) -> bool:
        """Let the lock go, sleep until notified, and take it again.

        Args:
            timeout: seconds to sleep; None for no limit.

        Returns:
            False if nobody has notified it in that time.

        Raises:
            AssertionError: this process does not hold the lock.
            OSError: too many wait already.
        """
        self._must_be_held("wait")
        place = self._take_place()
        depth = self._lock._semlock._count()
        for _ in range(depth):
            self._lock.release()
        try:
            self._sleep(place, None if timeout is None else time.monotonic() + max(0.0, timeout))
        finally:
            for _ in range(depth):
                self._lock.acquire()
            notified = self._words[place] == NOTIFIED
            self._words[place] = FREE
        return notified

    def _sleep(self, place: int, deadline: float | None) -> None:
        words, address = self._words, self._address + 8 * place
        while (ticket := words[place]) != NOTIFIED and (deadline is None or time.monotonic() < deadline):
            kernel.sleep(words, place, address, ticket, SCRATCH, deadline, self._spinning)

    def notify(self, n: int = 1) -> None:
        """Wake so many of those who wait, the first who came first.

        Args:
            n: how many, if so many wait.

        Raises:
            AssertionError: this process does not hold the lock.
        """
        self._must_be_held("notify")
        asleep = self._asleep()
        for place in asleep if n >= len(asleep) else self._alive(asleep):
            if n <= 0:
                return
            n -= 1
            self._words[place] = NOTIFIED
            kernel.wake(self._address + 8 * place)

    def notify_all(self) -> None:
        """Wake all who wait; raises as `notify` does."""
        self.notify(sys.maxsize)

    # What multiprocessing's has in their place, for who looks at how many sleep, as its own tests do.
    _sleeping_count: Any = property(lambda self: _Number(len(self._asleep())))
    _woken_count: Any = _Number(0)
    _wait_semaphore: Any = _Number(0)

    def _must_be_held(self, what: str) -> None:
        assert self._lock._semlock._is_mine(), f"must acquire() condition before using {what}()"

    def _asleep(self) -> list[int]:
        words = self._words
        found = [place for place in range(PLACES, PLACES + 2 * words[TAKEN], 2) if words[place] > 0]
        return sorted(found, key=words.__getitem__)

    def _alive(self, places: list[int]) -> Iterator[int]:
        """Those whose process is there; the other places are free."""
        for place in places:
            if lives(self._words[place + 1]):
                yield place
            else:
                self._words[place] = FREE

    def _take_place(self) -> int:
        words = self._words
        ever = range(PLACES, PLACES + 2 * words[TAKEN], 2)
        place = next((place for place in ever if words[place] == FREE), ever.stop)
        if place > LAST:
            self._free_the_deads(ever)
            place = next((place for place in ever if words[place] == FREE), ever.stop)
            if place > LAST:
                raise OSError(f"{len(ever)} wait for this Condition already, and it has room for no more")
        words[place + 1] = this_process()
        words[TICKET] += 1
        words[place] = words[TICKET]
        if place == ever.stop:
            words[TAKEN] += 1
        return place

    def _free_the_deads(self, places: range) -> None:
        for place in places:
            if not lives(self._words[place + 1]):
                self._words[place] = FREE


# ---- whose place it is -----------------------------------------------------------------------------------------------

_this = 0, 0


def this_process() -> int:
    """This process's number and when it began, in one word."""
    global _this
    pid = os.getpid()
    if _this[0] != pid:  # a fork is another
        _this = pid, word_of(pid)
    return _this[1]


def word_of(pid: int) -> int:
    """That of any process; 0 if it has ended, be it reaped or not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in b"ZXx" else int(fields[19]) << PIDS | pid


def lives(word: int) -> bool:
    return word == this_process() or word_of(word & ((1 << PIDS) - 1)) == word


# ---- what conditions are for -----------------------------------------------------------------------------------------


class Event(theirs.Event):
    """`multiprocessing.Event`, which may also be an argument of a Pool's calls.

    Whoever is killed in the middle of anything wedges nobody. A `wait` that a `set` has ended says True, also if there
    was a `clear` just after.

    Args:
        ctx: taken and not used, as contexts of multiprocessing pass it.
    """

    _block: Block

    def __init__(self, *, ctx: Any = None) -> None:
        self.__setstate__((Block.make("Event"),))
        mutexes.make(self._changing)

    def __getstate__(self) -> Any:
        return (self._block,)

    def __setstate__(self, state: Any) -> None:
        (self._block,) = state
        self._words = self._block.words
        self._changing = ctypes.byref((ctypes.c_char * mutexes.SIZE).from_buffer(self._words, 8 * CHANGING))
        self._holder = self._words.cast("B").cast("i")
        self._spinning = Spinning()

    # One word tells all: it is odd while the event is set, and another after each change. Only who changes it needs the
    # mutex: a change that was read before another's would bring back a number that somebody has gone to sleep on.

    def is_set(self) -> bool:
        """Is it set now?"""
        return bool(self._words[TICKET] & 1)

    def set(self) -> None:
        """Wake all who wait, and let nobody wait from now on."""
        self._become(1)
        kernel.wake(self._block.address + 8 * TICKET, kernel.ALL)

    def clear(self) -> None:
        """Let who comes wait."""
        self._become(0)

    def _become(self, odd: int) -> None:
        code, below = -1, False
        try:
            code = mutexes.try_lock(self._changing)
            below = (
                code == errno.EBUSY and self._is_mine()
            )  # what a signal's handler interrupts has it, and goes on later
            if code and not below:
                mutexes.acquire(self._changing, code, None)
            self._words[TICKET] += (self._words[TICKET] & 1) ^ odd
        finally:
            if not code:
                mutexes.unlock(self._changing)
            elif not below:
                mutexes.give_up(self._changing)

    def _is_mine(self) -> bool:
        """Has this thread the mutex?"""
        return self._holder[2 * CHANGING + mutexes.FUTEX] & mutexes.HOLDER == threading.get_native_id()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until it is set.

        Args:
            timeout: seconds to sleep; None for no limit.

        Returns:
            False if it was not set in that time.
        """
        words, address = self._words, self._block.address + 8 * TICKET
        seen = words[TICKET]
        deadline = None if timeout is None else time.monotonic() + max(0.0, timeout)
        while not seen & 1 and words[TICKET] == seen:
            if deadline is not None and time.monotonic() >= deadline:
                return False
            kernel.sleep(words, TICKET, address, seen, SCRATCH, deadline, self._spinning)
        return True


class _Counts:
    """The two numbers of a barrier, in the place of multiprocessing's heap."""

    def __init__(self, block: Block) -> None:
        self.block = block

    def create_memoryview(self) -> memoryview:
        """What `multiprocessing.synchronize.Barrier` asks for."""
        return self.block.words[8:9].cast("B")


class Barrier(theirs.Barrier):
    """`multiprocessing.Barrier`, which may also be an argument of a Pool's calls.

    One that is killed while it waits counts as having come, and never goes. If all others come they pass; the next
    round waits for it to go, until the timeout is over or somebody calls `abort`, and is broken then: make another.
    `reset` and `abort` are multiprocessing's.

    Args:
        parties: how many have to come before all go on.
        action: called by one of them when all have come; None for nothing.
        timeout: seconds that each waits who says no other; None for no limit.
        ctx: taken and not used, as contexts of multiprocessing pass it.

    Raises:
        TypeError: parties is no whole number.
        ValueError: it is less than 1: whoever came would wait for ever.
    """

    def __init__(
        self, parties: int, action: Callable[[], object] | None = None, timeout: float | None = None, *, ctx: Any = None
    ) -> None:
        if not isinstance(parties, int):
            raise TypeError(f"parties is a whole number, not {parties!r}")
        if parties < 1:
            raise ValueError(f"a barrier is for 1 or more, not for {parties}")
        state = parties, action, timeout, Condition(), _Counts(Block.make("Barrier"))  # the block is all 0
        self.__setstate__(state)  # type: ignore[attr-defined]  # not in the stubs

    def wait(self, timeout: float | None = None) -> int:
        """Wait until all have come.

        Args:
            timeout: seconds; None for the barrier's own. multiprocessing's begins to count only when the round before
                is over, which it never is where one of that round was killed.

        Returns:
            a number from 0 to parties - 1, another one for each.

        Raises:
            threading.BrokenBarrierError: somebody did not come in time, or called `abort` or `reset`.
        """
        limit = self._timeout if timeout is None else timeout  # type: ignore[attr-defined]  # not in the stubs
        if limit is None:
            return super().wait()
        until = time.monotonic() + limit
        condition: Condition = self._cond  # type: ignore[attr-defined]  # not in the stubs
        if not condition.acquire(True, limit):  # one was killed while it held it
            raise threading.BrokenBarrierError
        try:  # the lock is an RLock, so that nobody comes between
            while self._state in BETWEEN:  # type: ignore[attr-defined]  # not in the stubs
                if not condition.wait(max(0.0, until - time.monotonic())):
                    self.abort()
                    raise threading.BrokenBarrierError
            return super().wait(max(0.0, until - time.monotonic()))
        finally:
            condition.release()

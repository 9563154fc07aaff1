"""multiprocessing's queues on our own channel.

Rule: an item is pickled in `put`, where its error belongs, and is in the queue when `put` returns: there is no thread
that sends it later. So `close` and `join_thread` have nothing to wait for, and a process that has put much can be
joined at once.

Nobody who is killed wedges the others: an item whose `put` was cut off was never there, and a reader takes at most the
one item with it that it was about to return.
"""

from __future__ import annotations

import copyreg
import multiprocessing.queues
import queue
import time
from collections import ChainMap
from io import BytesIO
from multiprocessing.reduction import ForkingPickler
from pickle import Pickler, dumps, loads
from types import GenericAlias
from typing import TYPE_CHECKING, Any, NoReturn

from elsewhere.process.sync.log import Log

if TYPE_CHECKING:
    _Queue = multiprocessing.queues.Queue[Any]
    _SimpleQueue = multiprocessing.queues.SimpleQueue[Any]
else:
    _Queue = multiprocessing.queues.Queue
    _SimpleQueue = multiprocessing.queues.SimpleQueue

__all__ = ["JoinableQueue", "Queue", "SimpleQueue"]

UNLIMITED = 2**31 - 1  # what multiprocessing takes for maxsize=0
TEXTS = frozenset((str, bytes))
NUMBERS = frozenset((int, float, bool, type(None)))
ATOMS = NUMBERS | TEXTS
LARGE = 1 << 16  # bytes of a pickle from which `dumps`, which moves what it has whenever it grows, is the slower way
# What ForkingPickler makes anew for each item; both tables are looked at as they are then.
_extra: Any = getattr(ForkingPickler, "_extra_reducers")  # noqa: B009 - private, and not in the stubs
_reducers: Any = ChainMap(_extra, copyreg.dispatch_table)


def _pickled(item: Any) -> bytes | memoryview:
    kind = type(item)
    if (kind is tuple or kind is list) and ATOMS.issuperset(map(type, item)):  # nothing a reducer could be for
        return dumps(item, 5)
    buffer = BytesIO()
    pickler = Pickler(buffer, 5)
    pickler.dispatch_table = _reducers
    pickler.dump(item)
    return buffer.getbuffer() if buffer.tell() >= LARGE else buffer.getvalue()


def _loaded(log: Log, body: bytes | memoryview) -> Any:
    try:
        item = loads(body)
    except Exception:  # the item's own: it would fail the next reader, too
        raise
    except BaseException:  # Ctrl-C
        log.give_back(body)
        raise
    log.done_with(body)
    return item


class Queue(_Queue):
    """`multiprocessing.Queue`, which may also be an argument of a Pool's calls.

    Args:
        maxsize: `put` waits while there are so many items; 0, the default, is no limit but memory.
        ctx: taken and not used, as contexts of multiprocessing pass it.

    Raises:
        TypeError: maxsize is no whole number.
        OSError: the process has too many files open.
    """

    def __init__(self, maxsize: int = 0, *, ctx: Any = None) -> None:
        if not isinstance(maxsize, int):
            raise TypeError(f"maxsize is a whole number, not {maxsize!r}")
        self.__setstate__((Log(), maxsize))

    def __getstate__(self) -> Any:
        return self._log.block, self._most

    def __setstate__(self, state: Any) -> None:
        log, most = state
        self._log: Log = log if isinstance(log, Log) else Log(log)
        self._most: int = most
        self._maxsize = most if most > 0 else UNLIMITED
        self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.qsize()} items{', closed' * self._closed}>"

    def _refuse(self) -> NoReturn:
        raise ValueError(f"Queue {self!r} is closed")

    def put(self, obj: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item, which is in the queue when this returns.

        Args:
            obj: anything that can be pickled.
            block: wait for room; else fail at once if there is none.
            timeout: seconds to wait for room; None for no limit.

        Raises:
            queue.Full: there was no room in that time.
            ValueError: this process has closed the queue.
            Exception: what pickling raised; nothing was put then.
        """
        if self._closed:
            self._refuse()
        kind = type(obj)
        quick = kind in NUMBERS or (kind in TEXTS and len(obj) < LARGE)
        body = dumps(obj, 5) if quick else _pickled(obj)
        if not self._log.put(body, self._most, block, timeout if timeout is None else time.monotonic() + timeout):
            raise queue.Full

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the oldest item.

        Args:
            block: wait for one; else fail at once if there is none.
            timeout: seconds to wait for one; None for no limit.

        Raises:
            queue.Empty: there was none in that time.
            ValueError: this process has closed the queue.
            Exception: what unpickling raised; the item is gone then.
        """
        if self._closed:
            self._refuse()
        body = self._log.take(block, timeout if timeout is None else time.monotonic() + timeout)
        if body is None:
            raise queue.Empty
        return _loaded(self._log, body)

    def put_nowait(self, obj: Any) -> None:
        """``put(obj, block=False)``: raises `queue.Full` where there is no room."""
        self.put(obj, False)

    def get_nowait(self) -> Any:
        """``get(block=False)``: raises `queue.Empty` where there is none."""
        return self.get(False)

    def qsize(self) -> int:
        """How many items are in it now."""
        return self._log.size()

    def empty(self) -> bool:
        """Is nothing in it now?

        Raises:
            OSError: this process has closed the queue.
        """
        if self._closed and self._log.put_so_far():  # as in multiprocessing: only if used, and not a ValueError
            raise OSError(f"Queue {self!r} is closed")
        return self._log.empty()

    def full(self) -> bool:
        """Are there `maxsize` items in it now?"""
        return self._most > 0 and self._log.size() >= self._most

    def close(self) -> None:
        """This process puts and gets no more; what it has put stays."""
        self._closed = True

    def join_thread(self) -> None:
        """Nothing to wait for: there is no thread.

        Raises:
            AssertionError: the queue is not closed.
        """
        if not self._closed:
            raise AssertionError(f"Queue {self!r} not closed")

    def cancel_join_thread(self) -> None:
        """Nothing to cancel, and nothing is lost: items are in the queue already."""

    __class_getitem__: Any = classmethod(GenericAlias)


class JoinableQueue(Queue, multiprocessing.queues.JoinableQueue if not TYPE_CHECKING else Queue):  # type: ignore[misc]  # for mypy twice the same
    """`multiprocessing.JoinableQueue`, which may also be an argument of a Pool's calls.

    A process that is killed between `get` and `task_done` leaves its item undone, and `join` waits for it, as there.

    Args:
        maxsize, ctx: as of `Queue`.
    """

    def task_done(self) -> None:
        """One item that `get` gave is done with.

        Raises:
            ValueError: more often than there were items.
        """
        if not self._log.done():
            raise ValueError("task_done() called too many times")

    def join(self) -> None:
        """Wait until all items are done with."""
        self._log.join()


class SimpleQueue(_SimpleQueue):
    """`multiprocessing.SimpleQueue`, which may also be an argument of a Pool's calls, and never blocks in `put`.

    Args:
        ctx: taken and not used, as contexts of multiprocessing pass it.
    """

    def __init__(self, *, ctx: Any = None) -> None:
        self.__setstate__(Log())

    def __getstate__(self) -> Any:
        return (self._log.block,)

    def __setstate__(self, state: Any) -> None:
        self._log: Log = state if isinstance(state, Log) else Log(*state)
        self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._log.size()} items{', closed' * self._closed}>"

    def _check(self) -> None:
        if self._closed:
            raise OSError(f"{self!r} is closed")

    def put(self, obj: Any) -> None:
        """Put an item, which is in the queue when this returns.

        Raises:
            OSError: this process has closed the queue.
            Exception: what pickling raised; nothing was put then.
        """
        self._check()
        kind = type(obj)
        quick = kind in NUMBERS or (kind in TEXTS and len(obj) < LARGE)
        self._log.put(dumps(obj, 5) if quick else _pickled(obj))

    def get(self) -> Any:
        """Take the oldest item; wait for one, without a limit.

        Raises:
            OSError: this process has closed the queue.
        """
        self._check()
        body = self._log.take()
        assert body is not None, "without a deadline there is an item"
        return _loaded(self._log, body)

    def empty(self) -> bool:
        """Is nothing in it now?

        Raises:
            OSError: this process has closed the queue.
        """
        self._check()
        return self._log.empty()

    def close(self) -> None:
        """This process puts and gets no more."""
        self._closed = True

    @property
    def closed(self) -> bool:
        """Whether this process has closed it."""
        return self._closed

    _reader = _writer = property(lambda self: self)  # whoever asks multiprocessing's two ends whether they are closed

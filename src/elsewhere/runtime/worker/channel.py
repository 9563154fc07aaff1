"""The worker's end of its channel: frames in from the socket, answers out through the page and the socket.

Rule: nothing here runs user code, and no exception of an interrupt may be raised while it sends (see `Loop`).
"""

from __future__ import annotations

import contextlib
import pickle
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from elsewhere.runtime.memory.buffers import LARGE, MARKER
from elsewhere.runtime.page import ERROR, LARGEST_RECORD, MAIL, SEGMENT, SKIPPED, STARTED, VALUE, Page, Writer
from elsewhere.runtime.spin import wait_soon
from elsewhere.sansio.frames import ASIDE, FROM_WORKER, TO_WORKER, Command, Parser, Reply
from elsewhere.sansio.spinning import Spinning

if TYPE_CHECKING:
    from elsewhere.runtime.memory.exchange import Exchange

__all__ = ["ATOMS", "Channel"]

ATOMS = frozenset({int, float, bool, type(None), str, bytes})  # immutable, and pickled without a memo that matters
BELL_NS = 500_000  # the oldest answer waits no longer for its bell, times the job's heap
_command = tuple.__new__  # half the time of Command(...)
NEVER = 1 << 63  # more calls than there will be
FEW = 256  # calls that are used up before a bell could bring more: the one for an empty queue is enough
LARGEST_ATOM = 4096  # bytes; larger ones are records of their own
RECEIVE = 1 << 15  # bytes at once; a larger buffer is mapped and unmapped by malloc each time
RECEIVE_MORE = 1 << 20  # when that was not enough


class Channel:
    """What a worker and its pool share.

    Args:
        sock: a connected stream socket; its other end is held by the pool alone.
        page: the page mapped from the pool's memory.
        side: descriptor of the socket for blocks of shared memory.

    Attributes:
        workers: how many the pool has.
        look: fetches what the pool has sent, without waiting.
    """

    def __init__(self, sock: socket.socket, page: Page, side: int = -1) -> None:
        self.sock = sock
        self.page = page
        self.writer = Writer(page)
        self.words = page.words
        self.mark = time.monotonic_ns()  # since when the worker has been busy
        self.interval = BELL_NS
        self.due = 0  # when the next bell is to be rung, if there is an answer to ring for
        self.low = NEVER  # the call before which it is rung in any case: half of what the worker held is used up
        self.weigh: Callable[[int], bool] | None = None  # asked before a bell whether the worker is to be replaced
        self.rung = 0  # calls whose answers have been rung for
        self._parser = Parser(TO_WORKER)
        self._size = RECEIVE
        self._frames: deque[bytes] = deque()
        self._sending = threading.RLock()
        self.mail = self.words[MAIL]  # as last noted; when it changes, the socket is read before the next call
        self._side = side
        self._spinning = Spinning()
        self._ready = select.poll()
        self._ready.register(sock, select.POLLIN)
        self._memory: Exchange | None = None
        self.workers = 1
        self.look: Callable[[], object] | None = None

    @property
    def memory(self) -> Exchange:
        """The traffic in blocks, made when the first one is needed."""
        if self._memory is None:
            from elsewhere.runtime.memory.exchange import Exchange
            from elsewhere.runtime.memory.store import Store

            store = Store(one_receiver=True, sharers=self.workers)
            store.look_for_returns = self.look
            self._memory = Exchange(socket.socket(fileno=self._side), store)
        return self._memory

    # ---- in ------------------------------------------------------------------------------------------------------

    def receive_soon(self) -> list[Command] | None:
        """Like `receive` with `wait`, for what has lately come soon after the last answer."""
        wait_soon(self._spinning, partial(self._ready.poll, 0), self._ready.poll)
        return self.receive(wait=True)

    def receive(self, *, wait: bool) -> list[Command] | None:
        """The frames that are here; None at end-of-file. Without `wait`, maybe none."""
        try:
            data = self.sock.recv(self._size, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except ConnectionError:
            return None
        if not data:
            return None
        self._size = RECEIVE if len(data) < self._size else RECEIVE_MORE
        return [_command(Command, (f[0], f[1], f[3], f[4], payload)) for f, payload in self._parser.feed(data)]

    def recalls(self) -> int:
        """Note what the pool has asked for in MAIL; how often it has recalled calls so far."""
        self.mail = self.words[MAIL]
        return self.mail >> 32

    def fed(self, last: int) -> None:
        """The worker holds calls up to this ordinal now."""
        held = last - self.words[STARTED]
        if held > FEW:
            self.low = last - held // 2

    # ---- out -----------------------------------------------------------------------------------------------------

    def value(self, value: Any, body: bytes | None) -> None:
        """Answer a call; `body` is the value's pickle, or None for an atom that is pickled here."""
        if body is None:
            body = pickle.dumps(value, 5)
            if len(body) < LARGEST_ATOM:
                if not self.writer.append(body[2:-1]):
                    self.big(SEGMENT, body[2:-1])
                return
        self.record(VALUE, body)

    def record(self, kind: int, data: bytes) -> None:
        """Answer a call with a record of its own."""
        if len(data) >= LARGE and kind == VALUE and data[0] != MARKER:
            with contextlib.suppress(MemoryError):  # it is here, after all: it goes over the socket
                data = self.memory.pack(data)
        if len(data) > LARGEST_RECORD or not self.writer.record(kind, data):
            self.big(kind, data)

    def error(self, data: bytes) -> None:
        """Answer a call with an error's envelope."""
        self.record(ERROR, data)

    def skipped(self) -> None:
        """Answer a call that was not begun, as asked."""
        self.record(SKIPPED, b"")

    def big(self, kind: int, data: bytes) -> None:
        """Answer over the socket: the page has no room, which also makes a worker wait for a pool that is behind."""
        self.writer.close_segment()
        self.send(Reply.BIG, kind, data)

    def bell(self, now: int) -> None:
        """Say that there are answers on the page."""
        if self.weigh is not None and self.weigh(now):
            self.send(Reply.WORN)
        self.send(Reply.BELL, 0, b"" if self._memory is None else self._memory.news(), now - self.mark)
        self.mark = now
        self.due = now + self.interval
        self.low = NEVER
        self.rung = self.words[STARTED]

    def awake(self, now: int) -> None:
        """The worker has waited, and has calls now."""
        self.mark, self.due = now, now + self.interval

    def send(self, kind: int, record: int = 0, data: bytes = b"", busy: int = 0) -> None:
        """Send a frame, whole and in order, from any thread; a pool that is gone is noticed by the next receive."""
        tail, segment = self.writer.state() if kind not in ASIDE else (0, 0)
        header = FROM_WORKER.pack(kind, record, len(data), tail, segment, busy)
        # At once: other threads do the same.
        self._frames.extend((header, data) if len(data) >= LARGE else (header + data,))
        # Who has returned from here has been sent, so that a call's prints and records come before its answer, whatever
        # its other threads are sending. Only a signal handler that interrupts its own thread's sending leaves its frame
        # in the queue, to that thread, and returns: no deadlock, no frame inside another.
        while self._frames and not self._sending._is_owned():  # type: ignore[attr-defined]  # threading.Condition uses it
            with self._sending:
                try:
                    while self._frames:
                        self.sock.sendall(self._frames.popleft())
                except OSError:
                    self._frames.clear()

"""One connection of a client, for any number of threads, without a thread of its own.

A thread that waits for an answer reads for the others too; when it has its own, the next one reads. Callbacks run in
the thread that has read the answer, after it has handed the reading on, so that they may call whatever they like.

Who sends to a peer that does not take it reads meanwhile: else both sides may wait for each other for ever.
"""

from __future__ import annotations

import heapq
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

from elsewhere.errors import ConnectionLost
from elsewhere.msgpackrpc.error import TimeoutError, TransportError  # noqa: A004 - the original's name
from elsewhere.msgpackrpc.future import Future, Slot
from elsewhere.msgpackrpc.transport.encodings import Encodings
from elsewhere.sansio.msgpackrpc import REQUEST, RESPONSE

__all__ = ["TIMED_OUT", "Link"]

TIMED_OUT = "Request timed out"
ITEMS = 1 << 26  # of an array: simulators send images as arrays of numbers, and a server was chosen by its client
MOST = 1 << 20  # bytes of one write
TICK = 1.0  # seconds that a read may sleep; a shorter time is waited for by poll, which takes one more system call
Later = list[Callable[[], None]]  # what is to be done when the reading has been handed on


class Link:
    """See the module.

    Args:
        sock: connected, and blocking.
        encodings: of the session.
        address: for error texts.

    Attributes:
        ended: why nothing can be sent any more; "" while it can.
    """

    def __init__(self, sock: socket.socket, encodings: Encodings, address: str) -> None:
        self.ended = ""
        self._sock = sock
        self._address = address
        self._stream = encodings.stream(ITEMS)
        self._wire = self._stream.wire
        self._pid = os.getpid()
        self._mutex = threading.Lock()
        self._reading = self._writing = False
        self._followers: dict[Slot, None] = {}
        self._sending = threading.Lock()
        self._attended: list[tuple[float, int, Future]] = []  # those with callbacks, in the order of their deadlines
        self._order = count()
        self._attending = False
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(TICK), 0))

    # ---- out ---------------------------------------------------------------------------------------------------------

    def stale(self) -> bool:
        """Has the far side closed it while nobody read?"""
        if self.ended or self._pid != os.getpid():
            return True
        if self._reading:  # who does sees it
            return False
        try:
            return not self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def request(self, method: str, args: Any, future: Future) -> None:
        """Send a call.

        Raises:
            TimeoutError, TransportError: it could not be sent; the connection has ended.
            Exception: whatever the codec says of arguments that it cannot pack.
        """
        later: Later = []
        try:
            with self._sending:
                future._link, future._mutex = self, self._mutex
                future._msgid, data = self._wire.request(method, args, future)
                # Who ends the connection fails what is pending: it saw this one, or this sees that it has ended.
                if self.ended and self._wire.pending.pop(future._msgid, None) is not None:
                    raise self._error()
                self._send(data, future._left, later, future._msgid)
        finally:
            _run(later)

    def notify(self, method: str, args: Any, left: Callable[[], float | None]) -> None:
        """Send a notification; raises as `request` does."""
        later: Later = []
        try:
            with self._sending:
                if self.ended:
                    raise self._error()
                self._send(self._wire.notify(method, args), left, later)
        finally:
            _run(later)

    def _send(self, data: bytes, left: Callable[[], float | None], later: Later, msgid: int = -1) -> None:
        """With `_sending` held. What fails here ends the connection: part of a message may be out."""
        with self._mutex:
            if self.ended:
                raise self._error()
            self._writing = True
        try:
            try:
                sent = self._sock.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            if sent < len(data):
                self._send_rest(memoryview(data)[sent:], left, later)
        except BaseException as error:
            if isinstance(error, OSError) and error.errno is not None:  # else a signal's handler raised it
                self._drain(later)
                self.end(_why(error), later)
                raise self._error()  # noqa: B904 - it has a cause that says more
            self._wire.pending.pop(msgid, None)
            late = isinstance(error, TimeoutError)
            self.end("another call was not taken in time" if late else "the sending of a call was interrupted", later)
            raise
        finally:
            with self._mutex:
                self._writing = False
                self._close_if_idle()

    def _send_rest(self, rest: memoryview, left: Callable[[], float | None], later: Later) -> None:
        while rest:
            seconds = left()
            if seconds is not None and seconds <= 0:
                raise TimeoutError(TIMED_OUT)
            leads = self._lead()
            try:
                poll = select.poll()
                poll.register(self._sock, select.POLLOUT | (select.POLLIN if leads else 0))
                events = dict(poll.poll(1000 * min(TICK, TICK if seconds is None else seconds)))
                if leads and events.get(self._sock.fileno(), 0) & select.POLLIN:
                    later += self._read(0)
            finally:
                if leads:
                    self._hand_on()
            with suppress(BlockingIOError):
                rest = rest[self._sock.send(rest[:MOST], socket.MSG_DONTWAIT) :]

    def _drain(self, later: Later) -> None:
        """Answers that came before it broke are answers."""
        if self._lead():
            try:
                while not self.ended and _readable(self._sock, 0):
                    later += self._read(0)
            finally:
                self._hand_on()

    # ---- in ----------------------------------------------------------------------------------------------------------

    def wait(self, future: Future) -> None:
        """Until it has its outcome, which may be that its time is over."""
        if self._pid != os.getpid() and not future._set_flag:
            future._mutex = threading.Lock()  # this one's may have been held when the process was forked
            future.set_error(TransportError("this call is its parent process's, which made the connection"))
        while not future._over():
            left = None if future._set_flag else future._left()  # its callback may take as long as it likes
            if left is not None and left <= 0:
                self._late(future)
                continue
            slot = self._turn(future)
            if slot is None or self._follow(slot, future, left):
                self._read_for(future)

    def attend(self, future: Future) -> None:
        """It has a callback: a thread waits for it, should nobody else."""
        with self._mutex:
            deadline = float("inf") if future._deadline is None else future._deadline
            heapq.heappush(self._attended, (deadline, next(self._order), future))
            if self._attending:
                return
            self._attending = True
        threading.Thread(target=self._attend, name="elsewhere-msgpackrpc", daemon=True).start()

    def attend_all(self) -> None:
        for future in list(self._wire.pending.values()):
            self.attend(future)

    def _attend(self) -> None:
        while True:
            with self._mutex:
                if not self._attended:
                    self._attending = False
                    return
                future = self._attended[0][2]
                if future._over():
                    heapq.heappop(self._attended)
                    continue
            self.wait(future)

    def _lead(self) -> bool:
        """Take the reading, if nobody has it."""
        with self._mutex:
            if self._reading:
                return False
            self._reading = True
            return True

    def _turn(self, future: Future) -> Slot | None:
        """None: read. Else this one is woken when there is an outcome, or it should read."""
        with self._mutex:
            if not self._reading and not future._set_flag:
                self._reading = True
                return None
            slot = Slot()
            if future._over():
                slot.wake()
                return slot
            future._slots.append(slot)
            if not future._set_flag:  # else its callback runs in another thread
                self._followers[slot] = None
            return slot

    def _follow(self, slot: Slot, future: Future, left: float | None) -> bool:
        """Sleep; has it to read now?"""
        woken = False
        try:
            slot.wait(left)
            woken = True
        finally:
            with self._mutex:
                self._followers.pop(slot, None)
                if slot in future._slots:
                    future._slots.remove(slot)
            if slot.leads and not woken:  # interrupted
                self._hand_on()
        return slot.leads

    def _read_for(self, future: Future) -> None:
        later: Later = []
        try:
            while not future._set_flag and not later:
                left = future._left()
                if left is not None and left <= 0:
                    break
                later = self._read(left)
        finally:
            self._hand_on()
        _run(later)

    def _hand_on(self) -> None:
        with self._mutex:
            if self._followers:
                slot = next(iter(self._followers))
                del self._followers[slot]
                slot.leads = True
                slot.wake()
            else:
                self._reading = False
                self._close_if_idle()

    def _read(self, left: float | None) -> Later:
        """Read once, for so many seconds at most; gives outcomes to those who wait for them."""
        later: Later = []
        try:
            data = self._receive(left)
        except BlockingIOError:
            return later
        except OSError as error:
            if error.errno is None:  # not the socket's: a signal's handler raised it
                raise
            self.end(_why(error), later)
            return later
        if not data:
            self.end("the far side has closed the connection", later)
            return later
        try:
            self._take(data, later)
        except BaseException:  # a signal's handler raised it: what was read is lost
            self.end("the reading of an answer was interrupted", later)
            _run(later)
            raise
        return later

    def _take(self, data: bytes, later: Later) -> None:
        pending = self._wire.pending
        for message in self._stream.take(data):
            if message[0] == RESPONSE:
                future = pending.get(message[1])
                if future is not None:  # else it came too late
                    _finish(future, message[2], message[3], later)
                    pending.pop(message[1], None)
            elif message[0] == REQUEST:
                later.append(partial(self._refuse, message[1], message[2]))
        if self._wire.broken:
            self.end(f"it is no peer of MessagePack-RPC: {self._wire.broken}", later)

    def _receive(self, left: float | None) -> bytes:
        if left is None or left >= TICK:
            return self._stream.receive(self._sock)
        if left > 0:
            _readable(self._sock, left)
        return self._stream.receive(self._sock, socket.MSG_DONTWAIT)

    def _refuse(self, msgid: int, method: str) -> None:
        """Nothing can be called here."""
        later: Later = []
        soon = time.monotonic() + TICK
        with self._sending, suppress(TransportError, TimeoutError):
            data = self._wire.response(msgid, f"'{method}' method not found", None)
            self._send(data, lambda: soon - time.monotonic(), later)
        _run(later)

    # ---- ends --------------------------------------------------------------------------------------------------------

    def _late(self, future: Future) -> None:
        """Its time is over, unless its answer is just being given to it."""
        self._wire.pending.pop(future._msgid, None)
        if future._outcome(TimeoutError(TIMED_OUT), None):
            future._settle()

    def end(self, reason: str, later: Later | None = None) -> None:
        """Nothing goes any more, and what is pending fails: at once, or its callbacks when `later` is run."""
        steps: Later = [] if later is None else later
        self.ended = self.ended or reason
        with self._mutex:
            if self._reading or self._writing:
                with suppress(OSError):  # wakes who sleeps in it
                    self._sock.shutdown(socket.SHUT_RDWR)
            self._close_if_idle()
        for msgid in list(self._wire.pending):
            future = self._wire.pending.get(msgid)
            if future is not None:
                _finish(future, self._error(), None, steps)
                self._wire.pending.pop(msgid, None)
        if later is None:
            _run(steps)

    def forked(self) -> None:
        """In a forked child: let go of it, without a word to the far side."""
        self._sock.close()

    def _close_if_idle(self) -> None:
        """With the mutex held. A descriptor that somebody uses is not closed: its number would be another's."""
        if self.ended and not self._reading and not self._writing:
            self._sock.close()

    def _error(self) -> TransportError:
        error = TransportError(f"{self._address}: {self.ended}")
        error.__cause__ = ConnectionLost(str(error), address=self._address, phase="call")
        return error

    def __del__(self) -> None:
        sock = getattr(self, "_sock", None)
        if sock is not None:
            sock.close()


def _finish(future: Future, error: Any, result: Any, later: Later) -> None:
    if not future._outcome(error, result):
        return
    if future._calling:
        later.append(future._settle)
    else:
        future._settle()


def _run(steps: Later) -> None:
    """Each of them, whatever one raises."""
    while steps:
        step = steps.pop(0)
        try:
            step()
        except BaseException:
            _run(steps)
            raise


def _readable(sock: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


def _why(error: OSError) -> str:
    return f"the connection broke: {os.strerror(error.errno).lower() if error.errno else error}"

"""The pool's end of one worker's channel: its socket, its page, and what the worker has been told so far.

Rule: bytes and records; what they mean for calls is the driver's business. No call here blocks.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import weakref
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from elsewhere.runtime.page import INTERRUPT, MAIL, SINCE, STARTED, Page, Record, make_memory
from elsewhere.sansio.frames import ASIDE, FROM_WORKER, ORDINAL, SKIP_RANGE, Parser, Reply, ToWorker, command

__all__ = ["Answer", "Channel"]

RECEIVE = 1 << 15  # bytes at once: a bell takes 32; a larger buffer is mapped and unmapped by malloc each time
RECEIVE_MORE = 1 << 20  # when that was not enough
MANY = 64  # pieces for one sendmsg; the system's limit is 1024


class Answer(NamedTuple):
    """What one frame from the worker brought."""

    kind: int
    records: list[Record]
    stream: int
    payload: bytes
    busy: float  # seconds, for the records


class Channel:
    """One worker as its pool sees it.

    Attributes:
        key: the scheduler's name for it.
        pid: its process id, None until it has started.
        child_fds: what the worker is given: its socket and its page; closed by `launched`.
        pending: True while bytes wait for the socket to take them.
        start_error: the envelope of what its initializer raised.
        eof: its end of the socket is closed.
    """

    def __init__(self, key: int) -> None:
        self.key = key
        self.pid: int | None = None
        self.eof = False
        self.start_error: bytes | None = None
        self.look_at: float | None = None
        self.patience = 0.0
        self.functions: set[int] = set()
        self.definitions: set[bytes] = set()
        self._out: deque[memoryview | bytes] = deque()
        self._parser = Parser(FROM_WORKER)
        self.sock, child = socket.socketpair()
        self.sock.setblocking(False)
        page_fd = make_memory(Page.SIZE)
        self.page = Page(page_fd)
        self.child_fds = [child.detach(), page_fd]
        _open.add(self)

    def launched(self) -> None:
        """The worker has its copies: let go of ours."""
        for fd in self.child_fds:
            os.close(fd)
        self.child_fds = []

    def close(self) -> None:
        """Hang up."""
        self.launched()
        self.sock.close()
        self.page.close()

    # ---- out -----------------------------------------------------------------------------------------------------

    def send(self, pieces: Iterable[bytes | memoryview]) -> bool:
        """Send pieces in order; True if some are left for `flush`."""
        self._out.extend(pieces)
        return self.flush()

    def flush(self) -> bool:
        """Send what waits; True if something still does. A worker that is gone takes nothing, which is no error."""
        out = self._out
        while out:
            some = [out[i] for i in range(min(len(out), MANY))]
            try:
                sent = self.sock.sendmsg(some)
            except BlockingIOError:
                return True
            except OSError:
                out.clear()
                return False
            while sent:
                piece = out[0]
                if len(piece) <= sent:
                    sent -= len(out.popleft())
                else:
                    out[0] = memoryview(piece)[sent:]
                    sent = 0
            while out and not len(out[0]):
                out.popleft()
        return False

    @property
    def pending(self) -> bool:
        """Do bytes wait for the socket to take them?"""
        return bool(self._out)

    def setup(self, surroundings: Mapping[str, Any]) -> bool:
        """The first frame a worker gets."""
        body = pickle.dumps(dict(surroundings), 5)
        return self.send([command(ToWorker.SETUP, len(body)), body])

    def learn(self, needs: Iterable[bytes], definitions: Mapping[bytes, Sequence[Any]]) -> list[bytes]:
        """Frames with the definitions among `needs` that the worker has not seen."""
        pieces = []
        for digest in needs:
            if digest not in self.definitions:
                self.definitions.add(digest)
                body = pickle.dumps(tuple(definitions[digest]), 5)
                pieces += [command(ToWorker.LEARN, len(body)), body]
        return pieces

    def teach(self, number: int, body: bytes, needs: tuple[bytes, ...]) -> list[bytes]:
        """A frame with a function, unless the worker has it."""
        if number in self.functions:
            return []
        self.functions.add(number)
        payload = pickle.dumps((body, needs), 5)
        return [command(ToWorker.FUNCTION, len(payload), function=number), payload]

    def skip(self, first: int, last: int) -> bool:
        """Ask the worker not to begin some calls."""
        waits = self.send([command(ToWorker.SKIP, SKIP_RANGE.size), SKIP_RANGE.pack(first, last)])
        self.page.words[MAIL] += 1
        return waits

    def recall(self) -> None:
        """The worker is to begin no further call before it has read the `withdraw` that follows."""
        self.page.words[MAIL] += 1 << 32

    def withdraw(self, first: int) -> bool:
        """The calls from this ordinal on are others' now."""
        return self.send([command(ToWorker.WITHDRAW, ORDINAL.size), ORDINAL.pack(first)])

    def interrupt(self, ordinal: int, cancelled: bool) -> None:
        """Name the call that SIGURG is about."""
        self.page.words[INTERRUPT] = ordinal << 1 | cancelled

    # ---- in ------------------------------------------------------------------------------------------------------

    def receive(self) -> list[Answer]:
        """What the worker has sent by now; sets `eof`."""
        answers: list[Answer] = []
        size = RECEIVE
        while True:
            try:
                data = self.sock.recv(size)
            except BlockingIOError:
                return answers
            except OSError:
                data = b""
            if not data:
                self.eof = True
                return answers
            for (kind, record, _, tail, segment, busy), payload in self._parser.feed(data):
                answers.append(self._answer(kind, record, tail, segment, busy, payload))
            if len(data) < size:
                return answers
            size = RECEIVE_MORE

    def _answer(self, kind: int, record: int, tail: int, segment: int, busy: int, payload: memoryview) -> Answer:
        if kind in ASIDE:
            return Answer(kind, [], record, bytes(payload), 0.0)
        records = self.page.read(tail, segment)
        if kind == Reply.BIG:
            records.append(Record(record, 1, bytes(payload)))
        return Answer(kind, records, 0, bytes(payload) if kind == Reply.FAILED else b"", busy / 1e9)

    def look(self) -> list[Record]:
        """The answers that are on the page although no bell has rung for them."""
        return self.page.read(*self.page.state())

    def running(self) -> tuple[int, float]:
        """Calls begun so far, and when (`time.monotonic`) the last of them began."""
        return self.page.words[STARTED], self.page.words[SINCE] / 1e9


_open: weakref.WeakSet[Channel] = weakref.WeakSet()


def _let_go() -> None:
    """In a forked copy of the caller: a copy of a channel would hide from its worker that the caller has gone."""
    for channel in list(_open):
        with contextlib.suppress(OSError):
            channel.sock.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)

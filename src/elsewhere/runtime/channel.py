"""The pool's end of one worker's channel: its socket, its page, and what the worker has been told so far.

Rule: bytes and records; what they mean for calls is the driver's business. No call here blocks.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import sys
import weakref
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from elsewhere.runtime.memory.buffers import MARKER
from elsewhere.runtime.memory.parcel import Parcel
from elsewhere.runtime.packing import loads_result
from elsewhere.runtime.page import INTERRUPT, MAIL, SINCE, STARTED, Page, Record, make_memory
from elsewhere.sansio.frames import ASIDE, FROM_WORKER, ORDINAL, SKIP_RANGE, Parser, Reply, ToWorker, command

if TYPE_CHECKING:
    from elsewhere.runtime.memory.exchange import Exchange
    from elsewhere.runtime.memory.sharing import Constant
    from elsewhere.runtime.memory.store import Store

__all__ = ["Answer", "Channel"]

RECEIVE = 1 << 15  # bytes at once: a bell takes 32; a larger buffer is mapped and unmapped by malloc each time
RECEIVE_MORE = 1 << 20  # when that was not enough
SIDE = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_STREAM  # only Linux has blocks to send
_answer = tuple.__new__  # half the time of Answer(...)
BELL, BELL_SIZE = int(Reply.BELL), FROM_WORKER.size
FEW, SMALL = 8, 1 << 14  # pieces and bytes that are joined before they are sent
MANY = 64  # pieces for one sendmsg; the system's limit is 1024


class Answer(NamedTuple):
    """What one frame from the worker brought."""

    kind: int
    records: list[Record]
    stream: int
    payload: bytes
    busy: float  # seconds, for the records


class _Sent(weakref.ref[Any]):
    """A shared object that the worker has; tells when no call refers to it any more."""

    __slots__ = ("token",)
    token: str


class Channel:
    """One worker as its pool sees it.

    Args:
        key: the scheduler's name for it.
        store: where blocks of shared memory for its calls come from.

    Attributes:
        key: the scheduler's name for it.
        pid: its process id, None until it has started.
        child_fds: what the worker is given: its socket, its page, and the socket for blocks; closed by `launched`.
        pending: True while bytes wait for the socket to take them.
        start_error: the envelope of what its initializer raised.
        eof: its end of the socket is closed.
    """

    def __init__(self, key: int, store: Store) -> None:
        self.key = key
        self._store = store
        self._memory: Exchange | None = None
        self._constants: dict[str, _Sent] = {}
        self._unshared: deque[_Sent] = deque()
        self.pid: int | None = None
        self.eof = False
        self.start_error: bytes | None = None
        self.look_at: float | None = None
        self.patience = 0.0
        self.waits = False
        self.functions: set[int] = set()
        self.definitions: set[bytes] = set()
        self._out: deque[memoryview | bytes] = deque()
        self._parser = Parser(FROM_WORKER)
        self.sock, child = socket.socketpair()
        self.sock.setblocking(False)
        self.side, child_side = socket.socketpair(type=SIDE)
        page_fd = make_memory(Page.SIZE)
        self.page = Page(page_fd)
        self.child_fds = [child.detach(), page_fd, child_side.detach()]
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
        self.side.close()
        if self._memory is not None:
            self._memory.close()

    # ---- out -----------------------------------------------------------------------------------------------------

    def send(self, pieces: Sequence[bytes | memoryview]) -> bool:
        """Send pieces in order; True if some are left for `flush`."""
        out = self._out
        if not out and len(pieces) <= FEW and sum(map(len, pieces)) <= SMALL:  # most: one piece, one system call
            data = b"".join(pieces)
            try:
                if (sent := self.sock.send(data)) == len(data):
                    return False
                data = data[sent:]
            except OSError:
                pass  # `flush` says what it means
            out.append(data)
        else:
            out.extend(pieces)
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

    @property
    def memory(self) -> Exchange:
        """The traffic in blocks of shared memory, made when the first one is needed."""
        if self._memory is None:
            from elsewhere.runtime.memory.exchange import Exchange

            self._memory = Exchange(self.side, self._store)
        return self._memory

    def carry(self, parcel: Parcel) -> tuple[list[bytes], bytes]:
        """A parcel's message, and the frames that must come before it."""
        frames: list[bytes] = []
        for constant in parcel.constants:
            if constant.token not in self._constants:
                frames += self._share(constant)
        return frames, self.memory.lend(parcel) if parcel.holds else bytes(parcel)

    def _share(self, constant: Constant) -> list[bytes]:
        sent = self._constants[constant.token] = _Sent(constant, self._unshared.append)
        sent.token = constant.token
        frames, body = self.carry(constant.body) if isinstance(constant.body, Parcel) else ([], constant.body)
        payload = pickle.dumps((constant.token, body, constant.needs, list(constant.definitions)), 5)
        return [*frames, command(ToWorker.SHARE, len(payload)), payload]

    def news(self) -> list[bytes]:
        """Frames with what the worker is to know of blocks and shared objects; mostly none."""
        frames: list[bytes] = []
        if self._memory is None and not self._unshared:
            return frames
        while self._unshared:
            token = self._unshared.popleft().token
            if self._constants.pop(token, None) is not None:
                frames += [command(ToWorker.UNSHARE, len(token)), token.encode()]
        if self._memory is not None and (words := self._memory.news()):
            frames += [command(ToWorker.BLOCKS, len(words)), words]
        return frames

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
            if len(data) == BELL_SIZE and self._parser.empty:  # most: a bell and nothing else
                kind, _, length, tail, segment, busy = FROM_WORKER.unpack(data)
                if kind == BELL and not length:
                    answers.append(_answer(Answer, (kind, self.page.read(tail, segment), 0, b"", busy / 1e9)))
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
        if kind == Reply.BELL and payload:
            self.memory.hear(payload)
        if kind == Reply.BIG:
            records.append(Record(record, 1, bytes(payload)))
        return Answer(kind, records, 0, bytes(payload) if kind == Reply.FAILED else b"", busy / 1e9)

    def loads(self, data: bytes) -> Any:
        """The value in a record; raises what loading it raises."""
        if data[0] == MARKER:
            return self.memory.open(data, copies=True).load()
        return loads_result(data)

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
            channel.side.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)

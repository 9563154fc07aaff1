"""The keeper: what runs inside a Dask worker's process for us, shipped as source. It keeps far workers as children.

The law of the file: the standard library and distributed only, since nothing of ours is installed there; and nothing of
it runs user code, loads a pickle or waits in Dask's event loop.

::

    Dask task ── visit ──> inbox ─┐                          ┌─> child's stdin     frames, in the order of visits
    message   ── orders ─────────>├─ the keeper's own thread ┤
    child's stdout ───────────────┘                          └─> log_event         bytes, as they are

A *lane* is one child. What needs a thread of the Dask worker (calls, the initializer) comes as a Dask task, a *visit*,
which lasts until the child has answered all it was handed; what must not wait for one comes as a message. Children live
from task to task, as long as the scheduler knows the key of their last one: when the client has gone, however it went,
the scheduler forgets its keys, and the child is killed. It dies by itself with the Dask worker: its stdin ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from typing import Any

__all__ = ["OP", "visit"]

HEADER = struct.Struct("<BBHIQ")  # kind, flags, 0, number, bytes of payload: as in elsewhere's far worker
ORDINAL = struct.Struct("<Q")
RUN, WITHDRAW = 3, 8  # frames to a child that concern us
HELLO, READY, VALUE, ERROR, SKIPPED, RELEASED, ASK, FAILED = 1, 2, 3, 4, 5, 8, 9, 10  # ... and from it
ANSWERS = frozenset((VALUE, ERROR, SKIPPED))
HURRY = frozenset((HELLO, READY, RELEASED, ASK, FAILED))  # somebody waits for these
INLINE = 1 << 14  # bytes that travel as an event, which the scheduler keeps for a while; more is fetched
PIECE = 1 << 18  # bytes read at a time
LARGEST_PIECE = 1 << 24  # ... when much is known to come
PIPE = 1 << 20  # bytes that a pipe is asked to hold
TICK = 1.0  # seconds between looks at whether anybody still wants the children
ORPHAN = 3  # such looks in a row that find the key forgotten: what is forgotten is not missed by accident
KEPT = 60.0  # seconds for which what a child left is kept to be fetched
REST = 0.004  # seconds for which answers are left in the pipe, when more are to come soon
MANY = 4  # calls that a child has before it, if it is to be left alone for that long
FULL = 1 << 26  # bytes to be fetched, beyond which a child is not read
WORDS = 2000  # bytes of a child's last words
F_SETPIPE_SZ = 1031
GONE = frozenset(("cancelled", "error", "forgotten", "released"))  # states of a task that nobody wants
CLOSING = frozenset(("closing", "closed", "failed", "stopping", "stopped"))  # states of a Dask worker
OP = "elsewhere-keeper"  # the message of ours that Dask workers understand from then on

_lock = threading.Lock()
_log = logging.getLogger("elsewhere.keeper")


class Visit:
    """A Dask task of ours that waits in a thread of the Dask worker.

    Args:
        number: the visits of a lane are counted from 0.
        key: of the Dask task.
        pieces: bytes for the child.
        calls: how many of them it holds.
    """

    def __init__(self, number: int, key: str, pieces: list[Any], calls: int) -> None:
        self.number, self.key, self.pieces, self.calls = number, key, pieces, calls
        self.over = threading.Event()


class Reader:
    """Counts the frames in a stream of bytes, without taking them apart."""

    def __init__(self) -> None:
        self.skip = 0  # bytes of the present payload that are still to come
        self.kind = 0
        self._head = b""
        self._body: bytearray | None = None  # of a payload that concerns us

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The kinds of the frames that are complete now, with the payload where it concerns us."""
        found: list[tuple[int, bytes]] = []
        at, end = 0, len(data)
        while at < end or (not self.skip and self.kind):
            if self.kind:
                step = min(self.skip, end - at)
                if self._body is not None:
                    self._body += data[at : at + step]
                at += step
                self.skip -= step
                if self.skip:
                    break
                found.append((self.kind, bytes(self._body or b"")))
                self.kind, self._body = 0, None
                continue
            head = self._head + data[at : at + HEADER.size - len(self._head)]
            at += len(head) - len(self._head)
            if len(head) < HEADER.size:
                self._head = head
                break
            self._head = b""
            self.kind, _, _, _, self.skip = HEADER.unpack(head)
            self._body = bytearray() if self.kind == RELEASED else None
        return found


class Lane:
    """One child, and what is known of it.

    Attributes:
        name: what the client calls it.
        topic: under which its events are published.
        key: of the last Dask task that has come for it.
        expected: the number of the next visit.
        early: visits that came before an earlier one, by number.
        late: messages for the child that are to come when so many visits have begun: (number, bytes).
        visits: those whose calls it is in.
        fed: calls that it was handed, but for those it has given back.
        answered: those that it has answered.
        begun: visits that have begun.
        dropped: calls in visits below this number are not handed over any more.
        told: events that were published.
        unfetched: bytes that the client has been told of, and has not fetched.
    """

    def __init__(self, name: str, topic: str, pace: float) -> None:
        self.name, self.topic, self.pace = name, topic, pace
        self.key = ""
        self.expected = self.fed = self.answered = self.dropped = self.told = self.unfetched = 0
        self.early: dict[int, Visit] = {}
        self.late: list[tuple[int, bytes]] = []
        self.visits: list[Visit] = []
        self.ready = self.failed = False
        self.out: deque[memoryview] = deque()  # to the child
        self.got: list[bytes] = []  # from the child, not told yet
        self.due: float | None = None  # when to tell
        self.rest: float | None = None  # when to read on
        self.reader = Reader()
        self.words = b""
        self.missed = 0
        self.process: Any = None
        self.pidfd = -1
        self.writing = False
        self.ended = False  # has its output?

    @property
    def busy(self) -> bool:
        """Is the child in a call, or in its initializer?"""
        return self.answered < self.fed or not (self.ready or self.failed)


class Keeper:
    """All children in one Dask worker. Only its own thread touches them.

    Args:
        worker: the `distributed.Worker`.
    """

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.home = uuid.uuid4().hex  # tells this process from one that has its address later
        self.lanes: dict[str, Lane] = {}
        self.ended: deque[str] = deque(maxlen=256)
        self.held: dict[tuple[str, int], tuple[float, bytes]] = {}  # (lane, event) -> when it was told of, bytes
        self._inbox: deque[tuple[Any, ...]] = deque()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._selector: Any = None
        self._waker = self._wakee = -1
        worker.handlers[OP] = self.heard

    # ---- from other threads ------------------------------------------------------------------------------------------

    def post(self, *what: Any) -> None:
        """Have the thread do this; start it if there is none."""
        with self._starting:
            self._inbox.append(what)
            if self._thread is None:
                self._selector = selectors.DefaultSelector()
                self._wakee, self._waker = os.pipe()
                for fd in (self._wakee, self._waker):
                    os.set_blocking(fd, False)
                self._selector.register(self._wakee, selectors.EVENT_READ, (self._woken, None))
                self._thread = threading.Thread(target=self._work, name="elsewhere-keeper", daemon=True)
                self._thread.start()
            else:
                with contextlib.suppress(BlockingIOError):  # it is full: it will wake
                    os.write(self._waker, b"\0")

    async def heard(self, orders: Any = (), fetch: Any = None) -> Any:
        """A message from the client, in Dask's event loop: it never waits."""
        if fetch is not None:
            from distributed.protocol import to_serialize

            name, number = fetch
            _, data = self.held.pop((name, number), (0.0, None))
            self.post(self._fetched, name, len(data or b""))
            return None if data is None else to_serialize(data)
        for name, after, verb, data in orders:
            self.post(self._order, name, after, verb, data)
        return "OK"

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._serve()
        except BaseException:  # noqa: BLE001 - a bug of ours: nobody is left waiting
            _log.exception("elsewhere: the keeper failed; its children are killed")
            with self._starting:
                self._thread = None
            for lane in self.lanes.values():
                self._kill(lane)
                for visit in (*lane.visits, *lane.early.values()):
                    visit.over.set()
                self._publish(lane.topic, lane.name, {"gone": True})
            self.lanes.clear()

    def _serve(self) -> None:
        tick = time.monotonic() + TICK
        while True:
            now = time.monotonic()
            until = min([tick, *[at for lane in self.lanes.values() for at in (lane.due, lane.rest) if at is not None]])
            for key, events in self._selector.select(0 if self._inbox else max(0.0, until - now)):
                call, lane = key.data
                call(lane, events)
            while self._inbox:
                call, *args = self._inbox.popleft()
                call(*args)
            now = time.monotonic()
            for lane in list(self.lanes.values()):
                if lane.rest is not None and now >= lane.rest:
                    lane.rest = None
                    self._listen(lane)
                if lane.due is not None and now >= lane.due:
                    self._tell(lane)
            if now >= tick:
                tick = now + TICK
                self._look()
            if not self.lanes and not self.held and self._leave():
                return

    def _leave(self) -> bool:
        """No children: no thread either."""
        with self._starting:
            if self._inbox:
                return False
            self._selector.close()
            for fd in (self._wakee, self._waker):
                os.close(fd)
            self._thread = None
            return True

    def _woken(self, _: Any, __: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wakee, 4096)

    def _look(self) -> None:
        """End the children that nobody wants any more."""
        tasks = self.worker.state.tasks
        closing = str(getattr(self.worker.status, "name", self.worker.status)) in CLOSING
        for lane in list(self.lanes.values()):
            task = tasks.get(lane.key)
            lane.missed = lane.missed + 1 if task is None or task.state in GONE else 0
            if closing or lane.missed >= ORPHAN:
                self._kill(lane)
            elif lane.pidfd < 0 and lane.process.poll() is not None:
                self._died(lane, 0)
        now = time.monotonic()
        for (name, number), (since, _) in list(self.held.items()):
            if name not in self.lanes and now > since + KEPT:
                self.held.pop((name, number), None)

    def _fetched(self, name: str, size: int) -> None:
        lane = self.lanes.get(name)
        if lane is not None:
            before, lane.unfetched = lane.unfetched, lane.unfetched - size
            if before > FULL >= lane.unfetched:
                self._listen(lane)

    # ---- visits and messages -----------------------------------------------------------------------------------------

    def visit(self, visit: Visit, name: str, topic: str, start: Any) -> None:
        """A Dask task has come. One that is not the lane's next waits without holding a thread."""
        lane = self.lanes.get(name)
        if lane is None and start is not None and name not in self.ended:
            lane = self._start(name, topic, *start)
            if lane is None:
                visit.over.set()
                return
        if lane is None:
            visit.over.set()
            self._publish(topic, name, {"gone": True})
            return
        if visit.number >= lane.expected:
            lane.early[visit.number] = visit
        if visit.number != lane.expected:
            visit.over.set()  # what it brought is done by whoever is there in its turn
        while (following := lane.early.pop(lane.expected, None)) is not None:
            self._begin(lane, following)
        self._settle(lane)

    def _begin(self, lane: Lane, visit: Visit) -> None:
        lane.expected += 1
        lane.key = visit.key
        lane.missed = 0
        frames = visit.pieces
        if visit.number < lane.dropped:
            frames = _without_runs(frames)
        else:
            lane.fed += visit.calls
        if not visit.over.is_set():
            lane.visits.append(visit)
        if lane.due is None:
            lane.due = time.monotonic() + lane.pace
        for piece in frames:
            self._write(lane, piece)
        for order in [order for order in lane.late if order[0] <= lane.expected]:
            lane.late.remove(order)
            self._write(lane, order[1])

    def _order(self, name: str, after: int, verb: str, data: Any) -> None:
        lane = self.lanes.get(name)
        if lane is None:
            return
        if verb == "kill":
            self._kill(lane)
            return
        if verb == "withdraw":
            lane.dropped = max(lane.dropped, after)
        if verb == "later" and after > lane.expected:
            lane.late.append((after, data))
        else:
            self._write(lane, data)

    def _settle(self, lane: Lane) -> None:
        """Visits are over when the child has nothing to do."""
        if not lane.busy:
            for visit in lane.visits:
                visit.over.set()
            if lane.visits or lane.got:
                lane.visits = []
                self._tell(lane)

    # ---- children ----------------------------------------------------------------------------------------------------

    def _start(self, name: str, topic: str, pace: float, words: str, payload: bytes) -> Lane | None:
        lane = Lane(name, topic, pace)
        try:
            lane.process = subprocess.Popen(
                [sys.executable, "-c", words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            self._publish(topic, name, {"error": f"it cannot start {sys.executable}: {error}"})
            return None
        self.lanes[name] = lane
        for stream in (lane.process.stdin, lane.process.stdout, lane.process.stderr):
            os.set_blocking(stream.fileno(), False)
            _widen(stream.fileno())
        register = self._selector.register
        self._listen(lane)
        register(lane.process.stderr, selectors.EVENT_READ, (self._read_words, lane))
        try:
            lane.pidfd = os.pidfd_open(lane.process.pid)
            register(lane.pidfd, selectors.EVENT_READ, (self._died, lane))
        except (AttributeError, OSError):
            lane.pidfd = -1  # the tick looks
        self._write(lane, payload)
        return lane

    def _write(self, lane: Lane, piece: Any) -> None:
        if len(piece):
            lane.out.append(memoryview(piece).cast("B"))
            if not lane.writing:
                self._push(lane, 0)

    def _push(self, lane: Lane, _: int) -> None:
        """Write what the pipe takes."""
        stdin = lane.process.stdin
        try:
            while lane.out:
                some = [lane.out[at] for at in range(min(len(lane.out), 64))]
                sent = os.writev(stdin.fileno(), some)
                while lane.out and sent >= len(lane.out[0]):
                    sent -= len(lane.out.popleft())
                if sent:
                    lane.out[0] = lane.out[0][sent:]
        except BlockingIOError:
            pass
        except (OSError, ValueError):
            lane.out.clear()  # it has ended, or is about to
        if bool(lane.out) is not lane.writing:
            lane.writing = not lane.writing
            if lane.writing:
                self._selector.register(stdin, selectors.EVENT_WRITE, (self._push, lane))
            else:
                self._selector.unregister(stdin)

    def _read(self, lane: Lane, _: int) -> None:
        size = min(LARGEST_PIECE, max(PIECE, lane.reader.skip))
        try:
            data = os.read(lane.process.stdout.fileno(), size)
        except BlockingIOError:
            return
        if not data:
            lane.ended = True
            self._ignore(lane)
            if lane.pidfd < 0 and lane.process.poll() is not None:
                self._died(lane, 0)
            return
        self._take(lane, data)

    def _take(self, lane: Lane, data: bytes) -> None:
        lane.got.append(data)
        hurry = False
        for kind, body in lane.reader.feed(data):
            hurry = hurry or kind in HURRY
            if kind in ANSWERS:
                lane.answered += 1
            elif kind == RELEASED and len(body) == ORDINAL.size:
                lane.fed = max(lane.answered, ORDINAL.unpack(body)[0])
            elif kind == READY:
                lane.ready = True
            elif kind == FAILED:
                lane.failed = True
        if not lane.busy:
            self._settle(lane)
        elif hurry:
            self._tell(lane)
        else:
            now = time.monotonic()
            if lane.due is None:
                lane.due = now + lane.pace
            if lane.fed - lane.answered >= MANY and not lane.reader.skip:
                lane.rest = now + REST
                self._ignore(lane)

    def _listen(self, lane: Lane) -> None:
        """Read what the child writes, unless there is a reason not to."""
        stdout = lane.process.stdout
        if not lane.ended and lane.rest is None and lane.unfetched <= FULL and stdout not in self._selector.get_map():
            self._selector.register(stdout, selectors.EVENT_READ, (self._read, lane))

    def _ignore(self, lane: Lane) -> None:
        if lane.process.stdout in self._selector.get_map():
            self._selector.unregister(lane.process.stdout)

    def _read_words(self, lane: Lane, _: int) -> None:
        """What the child's C code and children print goes where the Dask worker's own does."""
        try:
            data = os.read(lane.process.stderr.fileno(), 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(lane.process.stderr)
            return
        lane.words = (lane.words + data)[-WORDS:]
        with contextlib.suppress(OSError):
            os.write(2, data)

    def _kill(self, lane: Lane) -> None:
        if lane.process.returncode is None:
            try:
                os.killpg(lane.process.pid, signal.SIGKILL)
            except OSError:
                lane.process.kill()

    def _died(self, lane: Lane, _: int) -> None:
        """It has ended: read what it left, then say so."""
        status = lane.process.poll()
        if status is None or lane.name not in self.lanes:
            return
        lane.rest, lane.unfetched = None, 0
        self._listen(lane)
        for stream, read in ((lane.process.stdout, self._read), (lane.process.stderr, self._read_words)):
            self._drain(lane, stream, read)
        del self.lanes[lane.name]
        self.ended.append(lane.name)
        for stream in (lane.process.stdin, lane.process.stdout, lane.process.stderr, lane.pidfd):
            self._close(stream)
        lane.fed, lane.failed = lane.answered, True
        self._tell(lane, {"end": status, "words": lane.words})
        for visit in (*lane.visits, *lane.early.values()):
            visit.over.set()

    def _drain(self, lane: Lane, stream: Any, read: Any) -> None:
        from select import select

        while select([stream], [], [], 0)[0] and (stream in self._selector.get_map() or lane.rest is not None):
            read(lane, 0)

    def _close(self, stream: Any) -> None:
        if stream == -1:
            return
        if stream in self._selector.get_map():
            self._selector.unregister(stream)
        if isinstance(stream, int):
            os.close(stream)
        else:
            stream.close()

    # ---- telling -----------------------------------------------------------------------------------------------------

    def _tell(self, lane: Lane, more: dict[str, Any] | None = None) -> None:
        """Publish what has come from the child; what is large waits to be fetched."""
        data = b"".join(lane.got)
        said: dict[str, Any] = {"n": lane.told, "home": self.home, "visits": lane.expected, "busy": lane.busy}
        if len(data) > INLINE:
            self.held[lane.name, lane.told] = time.monotonic(), data
            said["size"] = len(data)
            before, lane.unfetched = lane.unfetched, lane.unfetched + len(data)
            if before <= FULL < lane.unfetched:
                self._ignore(lane)
        else:
            said["data"] = data
        if more:
            said.update(more)
        lane.got, lane.due = [], None
        lane.told += 1
        self._publish(lane.topic, lane.name, said)

    def _publish(self, topic: str, name: str, said: dict[str, Any]) -> None:
        try:
            self.worker.log_event(topic, {"lane": name, **said})
        except Exception:  # noqa: BLE001 - Dask's loop is closed: the worker is about to end
            _log.debug("elsewhere: nobody hears that %s of %s", said, name)


def _without_runs(pieces: list[Any]) -> list[Any]:
    """The same frames without the calls, which are others' now."""
    data = b"".join(pieces)
    kept = []
    at = 0
    while at < len(data):
        kind, _, _, _, size = HEADER.unpack_from(data, at)
        end = at + HEADER.size + size
        if kind != RUN:
            kept.append(data[at:end])
        at = end
    return kept


def _widen(fd: int) -> None:
    try:
        import fcntl

        fcntl.fcntl(fd, F_SETPIPE_SZ, PIPE)
    except (ImportError, OSError):
        pass  # it holds what it holds


def keeper(worker: Any) -> Keeper:
    """The one of this Dask worker, made at the first call."""
    with _lock:
        found = worker.__dict__.get("_elsewhere_keeper")
        if found is None:
            found = worker._elsewhere_keeper = Keeper(worker)
        return found  # type: ignore[no-any-return]  # it is one: nobody else knows the name


def visit(name: str, topic: str, number: int, key: str, pieces: list[Any], calls: int, start: Any) -> None:
    """What each Dask task of ours does: bring frames to a child, and wait until it has answered them.

    Args:
        name: of the lane.
        topic: of its events.
        number: of this visit.
        key: of the Dask task.
        pieces: bytes for the child.
        calls: that are in them.
        start: what a lane's first visit brings besides: how often to tell, the first words, and the far worker.
    """
    from distributed import get_worker

    mine = keeper(get_worker())
    here = Visit(number, key, pieces, calls)
    mine.post(mine.visit, here, name, topic, start)
    here.over.wait()

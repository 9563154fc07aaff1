"""The keeper: the children of one Dask worker, in a thread of its own.

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
import threading
import time
import uuid
from collections import deque
from typing import Any

from elsewhere.cluster.keeping.frames import ANSWERS, FAILED, HURRY, ORDINAL, READY, RELEASED, share, without_runs
from elsewhere.cluster.keeping.lane import Lane, Visit

__all__ = ["OP", "visit"]

INLINE = 1 << 14  # bytes that travel as an event, which the scheduler keeps for a while; more is fetched
TICK = 1.0  # seconds between looks at whether anybody still wants the children
ORPHAN = 3  # such looks in a row that find the key forgotten: what is forgotten is not missed by accident
KEPT = 60.0  # seconds for which what a child left is kept to be fetched
REST = 0.004  # seconds for which answers are left in the pipe, when more are to come soon
MANY = 4  # calls that a child has before it, if it is to be left alone for that long
GONE = frozenset(("cancelled", "error", "forgotten", "released"))  # states of a task that nobody wants
CLOSING = frozenset(("closing", "closed", "failed", "stopping", "stopped"))  # states of a Dask worker
OP = "elsewhere-keeper"  # the message of ours that Dask workers understand from then on

_lock = threading.Lock()
_log = logging.getLogger("elsewhere.keeper")


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
        self._now: list[Any] = []  # what was taken from there
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
                self._selector.register(self._wakee, selectors.EVENT_READ, None)
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
            lanes, self.lanes = list(self.lanes.values()), {}
            for lane in lanes:
                lane.kill()
                with contextlib.suppress(Exception):
                    lane.process.wait(TICK)
                    lane.close()
                self._publish(lane.topic, lane.name, {"gone": True})
            visits = [visit for lane in lanes for visit in (*lane.visits, *lane.early.values())]
            for visit in (*visits, *self._now):
                if isinstance(visit, Visit):
                    visit.drop()
            self._leave(force=True)
            if self._inbox:  # what came meanwhile is for a new thread
                self.post(len, ())

    def _serve(self) -> None:
        tick = time.monotonic() + TICK
        while True:
            now = time.monotonic()
            until = min([tick, *[at for lane in self.lanes.values() for at in (lane.due, lane.rest) if at is not None]])
            for key, events in self._selector.select(0 if self._inbox else max(0.0, until - now)):
                if key.data is None:
                    os.read(self._wakee, 4096)
                elif not (lane := key.data[1]).closed:
                    key.data[0](lane, events)
            while self._inbox:
                call, *self._now = self._inbox.popleft()
                call(*self._now)
            now = time.monotonic()
            for lane in list(self.lanes.values()):
                if lane.rest is not None and now >= lane.rest:
                    lane.rest = None
                    lane.listen()
                if lane.due is not None and now >= lane.due:
                    self._tell(lane)
            if now >= tick:
                tick = now + TICK
                self._look(now)
            if not self.lanes and not self.held and self._leave():
                return

    def _leave(self, *, force: bool = False) -> bool:
        """No children: no thread either."""
        with self._starting:
            if self._inbox and not force:
                return False
            self._selector.close()
            for fd in (self._wakee, self._waker):
                os.close(fd)
            self._thread = None
            return True

    def _look(self, now: float) -> None:
        """End the children that nobody wants any more, and what they left."""
        tasks = self.worker.state.tasks
        closing = str(getattr(self.worker.status, "name", self.worker.status)) in CLOSING
        for lane in list(self.lanes.values()):
            task = tasks.get(lane.key)
            lane.missed = lane.missed + 1 if task is None or task.state in GONE else 0
            if closing or lane.missed >= ORPHAN:
                lane.kill()
            lane.look()
        for (name, number), (since, _) in list(self.held.items()):
            if name not in self.lanes and now > since + KEPT:
                self.held.pop((name, number), None)

    # ---- visits and messages -----------------------------------------------------------------------------------------

    def visit(self, visit: Visit, name: str, topic: str, start: Any) -> None:
        """A Dask task has come. One that is not the lane's next is done by whoever is there in its turn."""
        lane = self.lanes.get(name)
        if lane is None and start is not None and name not in self.ended:
            lane = self._start(name, topic, *start)
            if lane is None:
                visit.drop()
                return
        if lane is None:
            visit.drop()
            self._publish(topic, name, {"gone": True})
            return
        if visit.number != lane.expected or lane.visits:  # one thread is enough for a child
            visit.over.set()
        if visit.number < lane.expected or visit.number in lane.early:
            visit.drop()  # it has come before
        else:
            lane.early[visit.number] = visit
        while (following := lane.early.pop(lane.expected, None)) is not None:
            self._begin(lane, following)
        self._settle(lane)

    def _start(self, name: str, topic: str, pace: float, words: str, payload: bytes) -> Lane | None:
        try:
            lane = Lane(name, topic, pace, words, self._selector, self._take, self._died)
        except OSError as error:
            self._publish(topic, name, {"error": f"no child can be started: {error}"})
            return None
        self.lanes[name] = lane
        lane.write(payload)
        return lane

    def _begin(self, lane: Lane, visit: Visit) -> None:
        lane.expected += 1
        lane.key = visit.key
        lane.missed = 0
        frames, before = visit.pieces, lane.fed
        if visit.number < lane.dropped:
            frames = without_runs(frames)
        else:
            lane.fed += visit.calls
        lane.visits.append(visit)
        lane.lent.append((before, visit.files))
        visit.files = ()
        if lane.due is None:
            lane.due = time.monotonic() + lane.pace
        for piece in frames:
            lane.write(piece)
        for order in [order for order in lane.late if order[0] <= lane.expected]:
            lane.late.remove(order)
            lane.write(order[1])

    def _order(self, name: str, after: int, verb: str, data: Any) -> None:
        lane = self.lanes.get(name)
        if lane is None:
            return
        if verb == "kill":
            lane.kill()
            return
        if verb == "withdraw":
            lane.dropped = max(lane.dropped, after)
        if verb == "later" and after > lane.expected:
            lane.late.append((after, data))
        else:
            lane.write(data)

    def _settle(self, lane: Lane) -> None:
        """Visits are over when the child has nothing to do."""
        if not lane.busy:
            visits, lane.visits = lane.visits, []
            for visit in visits:
                visit.drop()
            if visits or lane.got:
                self._tell(lane)

    # ---- what children do --------------------------------------------------------------------------------------------

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
        while lane.lent and lane.answered > lane.lent[0][0]:  # a call behind it was answered: it has been mapped
            lane.give_back(lane.lent.pop(0)[1])
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
                lane.ignore()

    def _died(self, lane: Lane, _: int) -> None:
        """It may have ended."""
        status = lane.process.poll()
        if status is None or lane.closed:
            return
        lane.close()
        del self.lanes[lane.name]
        self.ended.append(lane.name)
        lane.fed, lane.failed = lane.answered, True
        self._tell(lane, {"end": status, "words": lane.words})
        for visit in (*lane.visits, *lane.early.values()):
            visit.drop()

    # ---- telling -----------------------------------------------------------------------------------------------------

    def _tell(self, lane: Lane, more: dict[str, Any] | None = None) -> None:
        """Publish what has come from the child; what is large waits to be fetched."""
        data = b"".join(lane.got)
        said: dict[str, Any] = {"n": lane.told, "home": self.home, "visits": lane.expected, "busy": lane.busy}
        if len(data) > INLINE:
            self.held[lane.name, lane.told] = time.monotonic(), data
            said["size"] = len(data)
            lane.unfetched += len(data)
            if lane.is_full:
                lane.ignore()
        else:
            said["data"] = data
        said.update(more or {})
        lane.got, lane.due = [], None
        lane.told += 1
        self._publish(lane.topic, lane.name, said)

    def _fetched(self, name: str, size: int) -> None:
        lane = self.lanes.get(name)
        if lane is not None:
            lane.unfetched -= size
            lane.listen()

    def _publish(self, topic: str, name: str, said: dict[str, Any]) -> None:
        try:
            self.worker.log_event(topic, {"lane": name, **said})
        except Exception:  # noqa: BLE001 - Dask's loop is closed: the worker is about to end
            _log.debug("elsewhere: nobody hears that %s of %s", said, name)


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
        pieces: bytes for the child, and shared objects as [token, bytes].
        calls: that are in them.
        start: what a lane's first visit brings besides: how often to tell, the first words, and the far worker.
    """
    from distributed import get_worker

    mine = keeper(get_worker())
    files: list[int] = []
    here = Visit(number, key, [_lent(piece, files) for piece in pieces], calls, tuple(files))
    mine.post(mine.visit, here, name, topic, start)
    here.over.wait()


def _lent(piece: Any, files: list[int]) -> Any:
    """A shared object as a frame: in a file of memory, which its child maps, as a pipe takes three copies more."""
    if not isinstance(piece, (list, tuple)):
        return piece
    token, body = piece
    try:
        fd = os.memfd_create("elsewhere")
        files.append(fd)
        rest = memoryview(body).cast("B")
        while rest:
            rest = rest[os.write(fd, rest) :]
    except (AttributeError, OSError):  # not on this system, or there is no room
        return share(token, body)
    return share(token, f"/proc/{os.getpid()}/fd/{fd}".encode())

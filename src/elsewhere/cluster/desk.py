"""One pool's business with a Dask cluster, all of it in the event loop of Dask's client.

Rule: knows Dask, and nothing of calls. Uses what `distributed.Client` offers in public, and two things besides:
`client.loop`, to be called in, and the scheduler's `broadcast`, which `client.run` is made of, so that a message costs
no unpickled function and no line in the worker's log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from elsewhere.cluster import shipping
from elsewhere.cluster.lines import Errand, LaneLine, gently
from elsewhere.errors import ConnectionLost, ElsewhereError
from elsewhere.runtime.far import bundle
from elsewhere.runtime.far import worker as wire

__all__ = ["Desk"]

_log = logging.getLogger("elsewhere")

LARGE = 1 << 20  # bytes; such a piece goes to the worker as data, since the scheduler opens tasks and keeps them
INLINE = 1 << 16  # bytes of a message's data; more is passed on by the scheduler as it is
LOOK = 0.25  # seconds between looks at the client and at our tasks
COUNT = 0.5  # seconds between looks at which workers there are
SILENCE = 30.0  # seconds in which the scheduler answers nothing: it is lost, although nothing says so
PACE = 0.01  # seconds for which a keeper gathers what its children write
SLOWEST = 0.1  # ... where there are many of them, as the scheduler has to pass on
EVENTS = 2500  # a second
CLOSING = 2.0  # seconds for a goodbye
FORGET = "[s._broker._topics.pop({!r}, None) for s in __import__('distributed').Scheduler._instances] and None"


class Desk:
    """What a pool has to do with its cluster.

    Args:
        client: a `distributed.Client`, connected.
        name: of the pool: for keys of tasks.
        ours: is the client for this pool alone, so that nobody else closes it?
        mend: called when Dask workers have gone, where they are ours to start again.
    """

    def __init__(self, client: Any, name: str, *, ours: bool = True, mend: Callable[[], None] | None = None) -> None:
        self.client = client
        self.topic = f"{name}-{uuid.uuid4().hex}"
        self.lines: dict[str, LaneLine] = {}
        self.error: ElsewhereError | None = None
        self._name = name
        self._hears: Any = None
        self._orders: dict[str, deque[Any]] = {}
        self._shares: dict[int, Any] = {}  # token -> future of its bytes, or of that
        self._running: set[asyncio.Task[Any]] = set()
        self._cores: dict[str, int] = {}
        self._bye = asyncio.Event()  # of the client's loop; nobody waits for it before `_open`
        self._closing = threading.Event()
        self._ours, self._mend = ours, mend
        self._pulse: Any = None

    # ---- from any thread ---------------------------------------------------------------------------------------------

    @property
    def pace(self) -> float:
        """Seconds for which keepers are to gather what their children write."""
        return min(SLOWEST, max(PACE, sum(self._cores.values()) / EVENTS))

    def call(self, work: Callable[..., Any], *args: Any) -> None:
        """Have this called in the client's loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the interpreter ends
            self.client.loop.add_callback(work, *args)

    def open(self, hears: Any, cores: dict[str, int]) -> None:
        """Begin: from now on `hears` (the driver) is told of workers, `members`, and of the end, `cut_off`."""
        self._hears, self._cores = hears, cores
        self.call(self._open)
        if not self._ours:
            threading.Thread(target=self._watch_client, name="elsewhere-dask-client", daemon=True).start()

    def close(self) -> None:
        """Give everything back; waits a little for the goodbye."""
        self._closing.set()
        loop = self.client.loop.asyncio_loop
        if loop.is_running():
            with contextlib.suppress(Exception):
                asyncio.run_coroutine_threadsafe(self._close(), loop).result(CLOSING)

    # ---- in the loop -------------------------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Have this done; it is kept until it is."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:  # a bug of ours: nobody is left waiting
            _log.critical("elsewhere: a pool's business with Dask failed; its calls fail", exc_info=error)
            self._cut_off(f"there is a bug in elsewhere: {error!r}")

    async def _nap(self, seconds: float) -> None:
        """Sleep, unless this is the end."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._bye.wait(), seconds)

    def later(self, seconds: float, work: Callable[..., Any], *args: Any) -> None:
        """Call this after some time."""
        asyncio.get_running_loop().call_later(seconds, work, *args)

    def _open(self) -> None:
        self.client.subscribe_topic(self.topic, self._event)
        self.spawn(self._watch())
        self.spawn(self._count())

    async def _close(self) -> None:
        self._bye.set()
        for line in list(self.lines.values()):
            line.end(None, None, "")
        if self._running:  # a request of Dask's that is cancelled leaves its connection open: it may come to its end
            await asyncio.wait(self._running, timeout=CLOSING / 2)
        for task in self._running:
            task.cancel()
        self._shares.clear()
        self._pulse = None
        if self.client.status == "running":
            with contextlib.suppress(Exception):
                # First, as goodbyes by the other way would come later, and make the topic anew:
                await asyncio.wait_for(self.client.run_on_scheduler(eval, FORGET.format(self.topic)), CLOSING)
                del self.client._event_handlers[self.topic]

    def _event(self, event: tuple[float, Any]) -> None:
        said = event[1]
        line = self.lines.get(said["lane"])
        if line is not None:
            line.hear(said)

    def forget(self, line: LaneLine) -> None:
        """A line has ended."""
        self.lines.pop(line.lane, None)

    # ---- tasks -------------------------------------------------------------------------------------------------------

    def hand_over(self, line: LaneLine, errand: Errand) -> None:
        """Make a Dask task of an errand."""
        if line.over:
            return
        self.lines[line.lane] = line
        errand.tries += 1
        if self.error is not None:
            line.end(None, self.error, "")
        elif any(len(piece) >= LARGE for piece in errand.pieces):
            self.spawn(self._hand_over_large(line, errand))
        else:
            self._submit(line, errand, [b"".join(errand.pieces)])

    async def _hand_over_large(self, line: LaneLine, errand: Errand) -> None:
        pieces: list[Any] = []
        small: list[bytes] = []
        complete = True
        token: int | None = None
        for piece in errand.pieces:
            if len(piece) < LARGE:
                small.append(piece)
                token = _shared_by(piece)
                continue
            if token is not None:
                small.pop()  # its header, which the keeper writes
            pieces += [b"".join(small)] if small else []
            small = []
            found = await self._scattered(piece, token, line.address)
            complete = complete and found is not None
            pieces.append(found if token is None else [token, found])
            token = None
        pieces += [b"".join(small)] if small else []
        if not complete:
            if errand.tries < 3 and self.error is None:
                self.later(COUNT, self.hand_over, line, errand)
            else:
                line.lose("it does not take data")
        else:
            self._submit(line, errand, pieces)

    async def _scattered(self, piece: bytes, token: int | None, address: str) -> Any:
        """The future of bytes that one Dask worker holds; others of them fetch what is shared from that one."""
        shared = self._shares.get(token) if token is not None else None
        if shared is not None and shared.done() and getattr(shared.result(), "status", "lost") != "finished":
            shared = None  # the worker that had it is gone
        if shared is None:
            view = memoryview(piece)  # which Dask takes from its frames as it is; bytes would be copied there
            work = gently(self.client.scatter(view, workers=[address], hash=False))
            shared = asyncio.ensure_future(work)
            if token is not None:
                self._shares[token] = shared
        return await asyncio.shield(shared)

    def unshare(self, token: int) -> None:
        """Nobody needs what was scattered under this token any more."""
        self._shares.pop(token, None)

    def _submit(self, line: LaneLine, errand: Errand, pieces: list[Any]) -> None:
        if line.over:
            return
        number = errand.number
        key = f"{self._name}-{line.lane.rpartition('-')[2]}-{number}-{uuid.uuid4().hex}"
        start = None
        if not number:
            payload = bundle.payload()
            start = [self.pace, bundle.first_words(len(payload)), payload]
        given = [line.lane, self.topic, number, key, pieces, errand.calls, start]
        try:
            errand.future = self.client.submit(
                eval,
                shipping.words(),
                {"given": given, "code": shipping.code()},
                key=key,
                workers=[line.address],
                allow_other_workers=False,
                pure=False,
                retries=0,
            )
        except Exception as error:  # noqa: BLE001 - whatever a client that is being closed raises
            self._cut_off(f"the client takes no more tasks: {error}")

    def cancel(self, future: Any) -> None:
        """Dask is not to run this any more."""
        with contextlib.suppress(Exception):
            self.spawn(gently(self.client.cancel([future])))

    async def reason(self, future: Any) -> str:
        """Why a task came to nothing."""
        error = await gently(future.exception()) if future.status == "error" else None
        return f"{type(error).__name__}: {error}" if error is not None else f"it is {future.status}"

    # ---- messages ----------------------------------------------------------------------------------------------------

    def tell(self, address: str, lane: str, after: int, verb: str, data: bytes) -> None:
        """A message to a keeper; those to one Dask worker arrive in order."""
        queue = self._orders.get(address)
        if queue is None:
            queue = self._orders[address] = deque()
            self.spawn(self._deliver(address, queue))
        queue.append((lane, after, verb, data))

    async def _deliver(self, address: str, queue: deque[Any]) -> None:
        await asyncio.sleep(0)  # what is told in the same turn goes together
        while queue:
            orders = [(*order[:3], self._as_it_is(order[3])) for order in queue]
            queue.clear()
            await gently(self._broadcast(address, orders=orders))
        del self._orders[address]

    @staticmethod
    def _as_it_is(data: bytes) -> Any:
        if len(data) < INLINE:
            return data
        from distributed.protocol import to_serialize

        return to_serialize(data)

    async def fetch(self, address: str, lane: str, number: int) -> Any:
        """What was too large for an event; None if it is lost."""
        return await gently(self._broadcast(address, fetch=(lane, number)))

    async def _broadcast(self, address: str, **what: Any) -> Any:
        message = {"op": shipping.OP, **what}
        answers = await self.client.scheduler.broadcast(msg=message, workers=[address], on_error="ignore")
        return answers.get(address)

    # ---- the cluster -------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Is the scheduler there, and are our tasks what they should be?"""
        while not self._bye.is_set() and self.error is None:
            if self.client.status != "running":
                self._cut_off(f"the client is {self.client.status}")
                return
            for line in list(self.lines.values()):
                line.look()
            await self._nap(LOOK)

    def _watch_client(self) -> None:
        """A thread's: a client that its user closes takes its loop with it, so nothing in there can say so."""
        while not self._closing.wait(LOOK):
            if self.client.status == "closed" and not self.client.loop.asyncio_loop.is_running():
                self._cut_off("the client was closed")
                return

    async def _count(self) -> None:
        """Which workers are there?"""
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while self.error is None:
            await self._nap(COUNT)
            if self._bye.is_set():
                return
            cores = None
            with contextlib.suppress(asyncio.TimeoutError):
                cores = await asyncio.wait_for(gently(self.client.nthreads()), SILENCE)
            if cores is not None:
                heard = loop.time()
                await self._members(dict(cores))
                self._call_for_workers()
            elif loop.time() > heard + SILENCE:
                self._cut_off(f"the scheduler has been silent for {SILENCE:g} s")

    async def _members(self, cores: dict[str, int]) -> None:
        if cores == self._cores:
            return
        gone = self._cores.keys() - cores.keys()
        self._cores = cores
        missed = [address for address in gone if self._has_lines(address)]
        why = dict(zip(missed, await asyncio.gather(*map(self._last_words, missed)), strict=True))
        self._hears.post(self._hears.members, cores)
        if gone and self._mend is not None:
            self._mend()
        for line in list(self.lines.values()):
            if line.address not in cores:
                line.lose(why.get(line.address, "") or "it has left the cluster")

    def _call_for_workers(self) -> None:
        """A cluster that adapts itself starts workers for tasks that wait, and ours are all bound to one."""
        waits = not self._cores and bool(self._hears.scheduler.unfinished)
        if not waits:
            self._pulse = None
        elif self._pulse is None:
            with contextlib.suppress(Exception):  # a client that is being closed
                self._pulse = self.client.submit(eval, "None", key=f"{self._name}-{uuid.uuid4().hex}", pure=False)

    def _has_lines(self, address: str) -> bool:
        return any(line.address == address for line in self.lines.values())

    async def _last_words(self, address: str) -> str:
        """What Dask's scheduler has noted about a worker that is gone."""
        events = None
        with contextlib.suppress(asyncio.TimeoutError):
            events = await asyncio.wait_for(gently(self.client.get_events(address)), CLOSING)
        told = []
        for _, event in list(events or ())[-4:]:
            if isinstance(event, dict) and event.get("action") not in (None, "add-worker"):
                reason = event.get("reason") or event.get("stimulus_id") or ""
                told.append(f"{event['action']} ({reason})" if reason else str(event["action"]))
        return f"Dask's scheduler notes: {', '.join(told)}" if told else ""

    def _cut_off(self, why: str) -> None:
        """The scheduler is not to be reached any more: nothing of ours can go on."""
        if self.error is None:
            address = getattr(self.client, "_start_arg", None) or getattr(self.client.scheduler, "address", "")
            text = f"the connection to Dask's scheduler is lost: {why}"
            self.error = ConnectionLost(text, address=str(address), phase="call")
            self._hears.post(self._hears.cut_off, self.error)
            for line in list(self.lines.values()):
                line.end(None, self.error, "")


def _shared_by(piece: bytes) -> int | None:
    """The token, if this ends with the header of a shared object."""
    if len(piece) < wire.HEADER.size:
        return None
    kind, _, _, token, size = wire.HEADER.unpack_from(piece, len(piece) - wire.HEADER.size)
    return int(token) if kind == wire.SHARE and size >= LARGE and len(piece) == wire.HEADER.size else None

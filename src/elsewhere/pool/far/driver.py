"""Calls in far workers: the scheduler's orders as frames on lines.

Rule: only the driver's thread touches channels. Where a worker runs, and how its line is made, is for `_open`.

::

    Send      RUN                   answered call by call: each answer is written before the next call begins
    Recall    WITHDRAW              RELEASED says how many it has begun: the rest is others'
    Interrupt INTERRUPT             raised inside the call, if it is still in that one
    Kill      the line's own way    what a worker does not answer to

A far worker's page of memory cannot be looked into. It is in the first call that it holds, and has been since its last
answer came: one way is as long as the other, so a deadline that is counted from then meets the call in time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from math import inf
from typing import Any

from elsewhere.errors import ElsewhereError, ProtocolError, WorkerStartError, describe_exit
from elsewhere.pool.far.arrivals import Arrivals
from elsewhere.pool.far.channel import Channel
from elsewhere.pool.far.freight import Freight
from elsewhere.pool.far.line import Line
from elsewhere.pool.far.setup import Setup
from elsewhere.pool.places.freight import all_plain, is_plain
from elsewhere.runtime.far import worker as wire
from elsewhere.runtime.far.opening import Opening
from elsewhere.runtime.far.packing import Packer
from elsewhere.runtime.jobs import CallJob, ours
from elsewhere.sansio.scheduling.jobs import (
    Interrupt,
    Kill,
    Observe,
    Order,
    Recall,
    Retire,
    Send,
    Skip,
    Start,
    Stop,
    Withdraw,
)
from elsewhere.sansio.scheduling.peer import Peer
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["FarDriver"]

HEAP = 8  # times the budget of a worker on this machine: what it holds hides the way there, too
MOST_HEAP = 256
WAYS = 4  # round trips that what a worker holds should last
UNMEASURED = 0.05  # seconds that calls are given to arrive while nobody knows how long the way is
LONGEST_TRIP = 1.0  # seconds that they are given at most


class FarDriver(Arrivals):
    """One pool's far workers.

    Args:
        scheduler: the machine.
        name: for the background thread.
        packer: turns functions and arguments into bodies.
        opening: loads what comes back.
        initializer: called in each worker before its first call, with `initargs`.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        *,
        packer: Packer,
        opening: Opening,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(scheduler, name, opening)
        self._packer = packer
        self._freight = Freight(packer, lambda token: self.post(self._unshare, token))
        self._setup = Setup(name, packer, initializer, initargs)
        self._channels: dict[int, Channel] = {}
        self._way = inf  # seconds: the shortest round trip so far
        self._longer = 0.0  # seconds: what it has been thought to be since calls were taken back that had not arrived

    # ---- for those below ---------------------------------------------------------------------------------------------

    def _open(self, key: int) -> Line:
        """A line to a new worker.

        Raises:
            ElsewhereError: there can be none.
        """
        raise NotImplementedError

    def _not_started(self, channel: Channel, error: ElsewhereError) -> None:
        """A worker never was: it is tried again, or given up where that has failed too often."""
        self.scheduler.lost(channel.key, 0, error, time.monotonic())

    # ---- packing, in the caller's thread -----------------------------------------------------------------------------

    def prepare(self, job: CallJob) -> None:
        """Pickle the job's function."""
        self._freight.prepare(job)
        job.heap = self._heap()

    def by_reference(self, fn: Callable[..., Any]) -> Any:  # type: ignore[override]  # this one has to ask its packer
        """The function's body, if it goes by name and has gone before."""
        return self._packer.named(fn)

    is_plain = staticmethod(is_plain)
    all_plain = staticmethod(all_plain)

    def pack(self, job: CallJob, values: list[Any] | range, first: int, input_name: str) -> list[Any] | range:
        """Pickle what is not plain."""
        return self._freight.pack(job, values, first, input_name)

    def share(self, obj: Any) -> Any:
        """A handle of an object that goes to each worker once."""
        return self._packer.share(obj)

    def _heap(self) -> int:
        """How much more a worker may hold than one beside us, a power of two."""
        wanted = HEAP if self._way == inf else max(HEAP, WAYS * self._way / 0.002)
        return min(MOST_HEAP, 1 << (int(wanted) - 1).bit_length())

    # ---- looking in from other threads -------------------------------------------------------------------------------

    def running(self) -> list[tuple[CallJob, int, int, float]]:
        """Job, index, pid there and start of each call being executed."""
        found: list[tuple[CallJob, int, int, float]] = []
        for key, channel in list(self._channels.items()):
            if not channel.ready:
                continue  # it may have no line yet
            with contextlib.suppress(KeyError, IndexError, ValueError):  # it ends while we look
                peer = self.scheduler.peers[key]
                started, since = self._begun(channel, peer)
                if started > peer.done:
                    job, index = peer.first
                    found.append((ours(job), index, channel.pid or 0, since))
        return found

    def workers(self) -> list[int]:
        """The workers' process ids, each on its own machine."""
        return [channel.pid for channel in list(self._channels.values()) if channel.pid is not None]

    def dump_workers(self) -> None:
        """Have each worker send its stacks, which are written to stderr."""
        self.post(self._tell_all, wire.frame(wire.DUMP))

    def _tell_all(self, frame: bytes) -> None:
        for channel in self._channels.values():
            self._send(channel, [frame])

    # ---- actions -----------------------------------------------------------------------------------------------------

    def _perform(self, action: Order) -> None:
        if type(action) is Start:
            self._start_worker(action.worker)
        elif (channel := self._channels.get(action.worker)) is None:
            return  # decided when its last answers were read; it was lost since, and what it held is dealt again
        elif type(action) is Send:
            if channel.handed <= self.scheduler.peers[action.worker].done:
                channel.fed = time.monotonic()
            channel.handed += action.hi - action.lo
            self._send(channel, self._freight.frames(channel, ours(action.job), action.lo, action.hi))
        else:
            self._tell(channel, action)

    def _tell(self, channel: Channel, action: Order) -> None:
        key, now = channel.key, time.monotonic()
        if type(action) is Observe:
            peer = self.scheduler.peers[key]
            self.scheduler.observed(key, *self._begun(channel, peer), now, self._arrives(peer))
        elif type(action) is Recall:
            self._recall(channel)
            self._send(channel, [wire.frame(wire.WITHDRAW)])
        elif type(action) is Withdraw:
            channel.handed = action.first - 1
            self.scheduler.released(key, now)  # it has dropped them already: that is how we know
        elif type(action) is Skip:
            self._send(channel, [wire.frame(wire.SKIP, wire.RANGE.pack(action.first, action.last))])
        elif type(action) is Interrupt:
            payload = wire.ORDINAL.pack(action.ordinal)
            self._send(channel, [wire.frame(wire.INTERRUPT, payload, flags=int(action.cancelled))])
        elif type(action) is Retire:
            self._send(channel, [wire.frame(wire.EXIT)])
        elif type(action) is Stop or type(action) is Kill:
            assert channel.line is not None
            channel.line.kill()

    def _arrives(self, peer: Peer) -> float:
        """By when a worker has what it was handed last, and has begun it if it had nothing else to do."""
        return peer.fed + max(UNMEASURED if self._way == inf else 2 * self._way, self._longer)

    def _released(self, channel: Channel, started: int) -> None:
        peer = self.scheduler.peers[channel.key]
        if peer.held and started <= peer.done:  # it had begun nothing: the way is longer than it was
            self._longer = min(LONGEST_TRIP, 2 * (self._arrives(peer) - peer.fed))
        super()._released(channel, started)

    def _send(self, channel: Channel, pieces: list[bytes]) -> None:
        assert channel.line is not None
        channel.line.send(pieces)

    def _start_worker(self, key: int) -> None:
        channel = self._channels[key] = Channel(key, "")
        try:
            channel.line = self._open(key)
        except ElsewhereError as error:
            del self._channels[key]
            self._not_started(channel, error)
            return
        channel.name = channel.line.name

    # ---- what lines tell ---------------------------------------------------------------------------------------------

    def arrived(self, key: int, data: bytes) -> None:
        """Bytes have come from a worker."""
        channel = self._channels.get(key)
        if channel is None or channel.line is None:
            return  # it was lost
        try:
            self._take(channel, channel.frames.feed(data))
        except (ProtocolError, ValueError) as error:
            told = error if isinstance(error, ProtocolError) else ProtocolError(f"{channel.place}: {error}")
            channel.line.kill()
            self.ended(key, None, told, "")

    def ended(self, key: int, status: int | None, error: ElsewhereError | None, words: str) -> None:
        """A line has ended, and all that came has been told.

        Args:
            key: whose.
            status: the worker's exit status, negative for a signal's number; None if nobody knows.
            error: why there never was a worker, or what took it away; None if it ended by itself.
            words: what it last wrote to its stderr.
        """
        channel = self._channels.pop(key, None)
        if channel is None:
            return
        self._freight.forget(channel=channel)
        if channel.ready:
            self._lose(channel, status, error, words, unsure=error is not None)
        elif channel.start_error is not None:
            cause, _ = self._opening.error(channel.start_error, "initializer", None, channel.place)
            failure = WorkerStartError(f"its initializer raised {type(cause).__name__}: {cause}")
            failure.__cause__ = cause
            self._not_started(channel, failure)
        else:
            text = f"{channel.place} {describe_exit(status)} before it was ready"
            self._not_started(channel, error or WorkerStartError(f"{text}: {words}" if words else text))

    def _greeted(self, channel: Channel) -> None:
        self._send(channel, self._setup.frames(channel, self._freight))

    def _asked(self, channel: Channel, module: str) -> None:
        self._send(channel, [self._setup.module(module)])

    def _wants(self, channel: Channel, token: int) -> None:
        self._send(channel, self._freight.again(channel, token))

    def _refused(self, channel: Channel) -> None:
        assert channel.line is not None
        channel.line.kill()  # it should end now by itself, and nobody waits for that

    def _finish(self, channel: Channel, values: list[Any], micros: int, now: float) -> None:
        if channel.fed > channel.since:  # it had nothing, was fed, and here is the answer: how long is the way?
            self._way = min(self._way, max(0.0, now - channel.fed - micros / 1e6))
            self._longer *= 0.9
        super()._finish(channel, values, micros, now)

    def _unshare(self, token: int) -> None:
        self._freight.forget(token=token)
        for channel in self._channels.values():
            if token in channel.tokens:
                channel.tokens.discard(token)
                self._send(channel, [wire.frame(wire.UNSHARE, number=token)])

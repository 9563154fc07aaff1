"""A scheduler, its workers and the time, all simulated: a pool of any size in one process.

Rule: all that is told to the scheduler goes through `_tell`, which writes it down. The same is then told, in batches,
to a second scheduler, and only that is timed: what it takes is the scheduler's own, and nothing of the simulation.
"""

from __future__ import annotations

import heapq
import random
import time
from dataclasses import dataclass
from math import ceil
from typing import Any

from benchmarks.scale.peers import SimulatedPeer, Work
from elsewhere.errors import WorkerLost
from elsewhere.sansio.scheduling.credits import BUDGET
from elsewhere.sansio.scheduling.jobs import Failed, Interrupt, Job, Kill, Observe, Recall, Send, Skip, Start, Withdraw
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["Faults", "Outcome", "World"]

SECOND = 1_000_000_000  # nanoseconds
WAY = 100_000  # ns from the decision to the begin of a call of an idle worker: a round trip
START = 30_000_000  # ns until a worker that replaces another is ready
BATCH = 50_000  # events


@dataclass
class Faults:
    """What goes wrong.

    Attributes:
        life: mean seconds a worker lives; 0 for ever.
        cancels: share of the calls that are cancelled, at some time before they would be over.
        seed: of what is by chance.
    """

    life: float = 0.0
    cancels: float = 0.0
    seed: int = 1


@dataclass
class Outcome:
    """What a run came to; times in seconds.

    Attributes:
        ideal: all work that was answered, shared out evenly; or the longest call, if that is more.
        cpu: what the scheduler took, without the simulation around it.
        events: what it was told.
        runs: runs of calls handed over.
    """

    peers: int
    calls: int
    makespan: float = 0.0
    ideal: float = 0.0
    cpu: float = 0.0
    events: int = 0
    runs: int = 0
    values: int = 0
    failed: int = 0
    cancelled: int = 0
    lost: int = 0
    recalls: int = 0


class World:
    """One job on one pool, until its last call is over.

    Args:
        peers: workers.
        work: what is to be done.
        faults: what goes wrong meanwhile.
        window: calls that are added before the first is over, and kept there; 0 for all at once.
    """

    def __init__(self, peers: int, work: Work, faults: Faults | None = None, *, window: int = 0) -> None:
        self.work = work
        self.faults = faults or Faults()
        self.calls = len(work.at) - 1
        self.scheduler = Scheduler(peers, budget=BUDGET)
        self._twin = Scheduler(peers, budget=BUDGET)
        self._twin_work = Job(work.timeout, work.retry, work.chunk)
        self._twin_work.heap, self._twin_work.whole = work.heap, work.whole
        self._told: list[tuple[str, tuple[Any, ...]]] = []
        self._random = random.Random(self.faults.seed)
        self._events: list[tuple[int, int, str, int]] = []
        self._order = 0
        self.now = 0
        self.peers: dict[int, SimulatedPeer] = {}
        self.outcome = Outcome(peers, self.calls)
        self._added = self._worked = self._longest = 0
        self._window = window or self.calls

    # ---- time ----------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Until the last call is over."""
        self._tell("open")
        self._carry_out()
        self._feed()
        while self.scheduler.unfinished or self._added < self.calls:
            self._step()
        self._replay()
        outcome = self.outcome
        outcome.makespan = self.now / SECOND
        outcome.ideal = max(self._worked / outcome.peers, self._longest) / SECOND
        assert outcome.values + outcome.failed + outcome.cancelled == self.calls, "a call without an outcome"
        return outcome

    def _step(self) -> None:
        timer = self.scheduler.next_timer()
        at = -1 if timer is None else ceil(timer * SECOND)
        if timer is not None and at / SECOND < timer:
            at += 1  # rounded the other way
        if self._events and (at < 0 or self._events[0][0] <= at):
            self.now, _, what, key = heapq.heappop(self._events)
            getattr(self, f"_{what}")(key)
        elif timer is not None:
            self.now = max(self.now, at)
            self._tell("tick", self.now / SECOND)
        else:
            raise AssertionError("nothing will ever happen again")
        self._carry_out()
        self._feed()

    def _at(self, when: int, what: str, key: int) -> None:
        self._order += 1
        heapq.heappush(self._events, (when, self._order, what, key))

    # ---- the scheduler, and its twin -----------------------------------------------------------------------------

    def _tell(self, event: str, *args: Any, **_: Any) -> Any:
        self._told.append((event, args))
        if len(self._told) >= BATCH:
            self._replay()
        return getattr(self.scheduler, event)(*args)

    def _replay(self) -> None:
        told, self._told = self._told, []
        twin, actions, timer = self._twin, self._twin.actions, self._twin.next_timer
        work, twin_work = self.work, self._twin_work
        calls = [
            (getattr(twin, event), tuple(twin_work if arg is work else arg for arg in args)) for event, args in told
        ]
        begin = time.process_time()
        for call, args in calls:
            call(*args)
            while actions:
                actions.popleft()
            timer()
        self.outcome.cpu += time.process_time() - begin
        self.outcome.events += len(told)

    # ---- what users do -------------------------------------------------------------------------------------------

    def _feed(self) -> None:
        if self._added < self.calls:
            count = min(self._window - self.scheduler.unfinished, self.calls - self._added)
            if count > 0:
                lo, self._added = self._added, self._added + count
                self._plan_cancels(lo, self._added)
                self._tell("add", self.work, lo, self._added, self.now / SECOND)
                self._carry_out()

    def _plan_cancels(self, lo: int, hi: int) -> None:
        """Some of the calls that are added now are cancelled before they would be over, most of them."""
        if share := self.faults.cancels:
            mean = self.work.at[-1] / self.calls
            spread = mean * (self._window / self.outcome.peers + 1)
            for index in range(lo, hi):
                if self._random.random() < share:
                    self._at(self.now + int(spread * self._random.random()), "cancel", index)

    def _cancel(self, index: int) -> None:
        if index < self._added and self._tell("cancel", self.work, index, self.now / SECOND):
            self.outcome.cancelled += 1

    # ---- what workers do -----------------------------------------------------------------------------------------

    def _ready(self, key: int) -> None:
        self.peers[key] = SimulatedPeer(key)
        if self.faults.life:
            self._at(self.now + int(self._random.expovariate(1 / self.faults.life) * SECOND), "die", key)
        self._tell("worker_ready", key, self.now / SECOND)

    def _ring(self, key: int) -> None:
        """A worker's bell, unless it was planned for a time at which it would ring no more."""
        peer = self.peers.get(key)
        if peer is not None and peer.rings_at == self.now:
            peer.rings_at = -1
            self._hear(peer)
            self._plan(peer)

    def _hear(self, peer: SimulatedPeer) -> None:
        """All that a worker has answered is told."""
        peer.advance(self.work, self.now)
        untold, peer.untold = peer.untold, []
        for count, took in untold:
            self._worked += took
            if count == 1 and took > self._longest:
                self._longest = took
            if count:
                spans = self._tell("finished", peer.key, count, took / SECOND, self.now / SECOND)
                self.outcome.values += sum(hi - lo for job, lo, hi in spans if job is not None)
            else:
                self._tell("failed", peer.key, WorkerLost("interrupted"), took / SECOND, self.now / SECOND)

    def _plan(self, peer: SimulatedPeer) -> None:
        at = peer.rings(self.work)
        if at >= 0 and at != peer.rings_at:
            peer.rings_at = max(at, self.now)
            self._at(peer.rings_at, "ring", peer.key)

    def _die(self, key: int) -> None:
        if (peer := self.peers.get(key)) is None:
            return
        self._hear(peer)
        begun = peer.begun(self.now)
        del self.peers[key]
        self.outcome.lost += 1
        self._tell("lost", key, begun, WorkerLost("it died"), self.now / SECOND)

    # ---- what the scheduler decides ------------------------------------------------------------------------------

    def _carry_out(self) -> None:
        actions, now = self.scheduler.actions, self.now / SECOND
        while actions:
            action = actions.popleft()
            if isinstance(action, Failed):
                self.outcome.failed += 1
            elif isinstance(action, Start):
                self._at(self.now + (START if self.now else 0), "ready", action.worker)
            elif (peer := self.peers.get(action.worker)) is not None:
                self._order_peer(peer, action, now)

    def _order_peer(self, peer: SimulatedPeer, action: Any, now: float) -> None:
        kind = type(action)
        if kind is Kill:
            self._die(peer.key)
            return
        peer.advance(self.work, self.now)
        if kind is Send:
            self.outcome.runs += 1
            peer.hand(action.lo, action.hi, self.now, WAY)
        elif kind is Skip:
            peer.skip(action.first, self.now)
        elif kind is Observe:
            self._hear(peer)
            begun = peer.begun(self.now)
            self._tell("observed", peer.key, begun, peer.begin / SECOND, now)
        elif kind is Recall:
            self.outcome.recalls += 1
            peer.recall(self.now)
            self._tell("recalled", peer.key, now)
        elif kind is Withdraw:
            peer.withdraw(action.first, self.now)
            self._tell("released", peer.key, now)
        elif kind is Interrupt and peer.interrupt(action.ordinal, self.now):
            self._hear(peer)
        self._plan(peer)

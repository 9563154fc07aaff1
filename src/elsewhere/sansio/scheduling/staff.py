"""The workers of a pool: how many there are to be, when each is looked at or killed, and when one leaves.

Rule: knows workers, and of calls only whether there are any. Which worker gets which call is `dealing`'s business. What
happens often walks over no workers, however many there are.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from math import inf

from elsewhere.errors import ElsewhereError, WorkerStartError
from elsewhere.sansio.scheduling.jobs import Retire, Start
from elsewhere.sansio.scheduling.ledger import Ledger
from elsewhere.sansio.scheduling.peer import Peer, State

__all__ = ["Staff"]

SAME_START_FAILURES = 3  # in a row, alike: the next would fail as well
SAME_STROKES = 5  # in a row, of kills alike: they may have come from outside, which is no reason to give up so soon
START_FAILURES = 10  # in a row, of any kind
STALE = 64  # timers that no worker needs any more are kept until there are so many


class Staff(Ledger):
    """A pool's workers.

    Args:
        size: workers to keep while there is work.
        lifetime: calls after which a worker is replaced; None for never.
        grace: seconds between asking a worker for something and killing it.

    Attributes:
        size: as above; `resize` changes it.
        peers: the workers, by key.
        lost_workers: workers that died without being asked to.
        closing: no more calls will come.
    """

    def __init__(self, size: int, *, lifetime: int | None, grace: float) -> None:
        super().__init__()
        self.size = size
        self.lifetime = lifetime
        self.grace = grace
        self.lost_workers = 0
        self.peers: dict[int, Peer] = {}
        self.closing = False
        self._end_at = inf  # when workers that are still there are killed: `grace` after `terminate`
        self._posts = 0  # workers that count: all but those that leave for good
        self._newest = 0  # the key of the worker that was started last
        # Sets in a fixed order, so that the same events give the same actions:
        self._idle: dict[Peer, None] = {}  # hold nothing and could be handed calls; the last was busy a moment ago
        self._dismissed: dict[Peer, None] = {}  # hold calls still, and leave when these are answered
        self._timers: list[tuple[float, int, Peer]] = []  # a heap; one that is not its worker's any more is stale
        self._start_failures: list[str] = []
        self._last_stroke = 0  # the newest worker there was when one was last killed before it was ready

    def _staff(self) -> None:
        """Start workers until there are as many as the work justifies."""
        if self.terminated or self.broken is not None:
            return
        wanted = min(self.size, self.unfinished) if self.closing else self.size
        for _ in range(self._posts, wanted):
            self._newest = key = self._newest + 1
            self.peers[key] = Peer(key, self.lifetime)
            self._posts += 1
            self.actions.append(Start(key))

    def _resize(self, size: int, first: Iterable[int]) -> list[Peer]:
        """Dismiss or start workers until there are so many; those that were to leave and stay."""
        if size < 0:
            raise ValueError(f"a pool has 0 workers or more, not {size}")
        self.size = size
        stay: list[Peer] = []
        if self.terminated or self.broken is not None:
            return stay
        while self._posts < size and self._dismissed:
            peer, _ = self._dismissed.popitem()
            peer.dismissed = False
            self._posts += 1
            stay.append(peer)
        if self._posts > size:
            named = set(first)
            here = [peer for peer in self.peers.values() if not (peer.dismissed or peer.state is State.LEAVING)]
            here.sort(key=lambda peer: (peer.key not in named, peer.state.value, peer.outstanding, -peer.key))
            for peer in here[: self._posts - size]:
                self._dismiss(peer)
        self._staff()
        return stay

    def _dismiss(self, peer: Peer) -> None:
        """A worker is one too many: it leaves now, or when it has answered what it holds."""
        if peer.held or peer.state is State.KILLED:
            peer.dismissed = True
            self._dismissed[peer] = None
            self._posts -= 1
        else:
            self._retire(peer)

    def _release_if_due(self, peer: Peer) -> None:
        """A worker that is worn, one too many, or the last of a pool's, leaves when it holds nothing."""
        last = self.closing and not self.unfinished and not self.terminated
        if (last or peer.left == 0 or peer.dismissed) and not peer.held and peer.state is State.READY:
            self._retire(peer)
            self._staff()

    def _retire(self, peer: Peer) -> None:
        self._uncount(peer)
        self._idle.pop(peer, None)
        peer.turn("Retire")
        self.actions.append(Retire(peer.key))

    def _uncount(self, peer: Peer) -> None:
        """A worker leaves, or is gone."""
        if peer.dismissed:
            del self._dismissed[peer]
            peer.dismissed = False
        elif peer.state is not State.LEAVING:
            self._posts -= 1

    def _leave_if_done(self) -> None:
        if self.closing and not self.unfinished and not self.terminated:
            while self._idle:
                self._retire(self._idle.popitem()[0])

    def _start_failed(self, key: int, reason: str, error: ElsewhereError, killed: bool) -> None:
        if self.broken is not None or (killed and key <= self._last_stroke):
            return  # the fork server's end kills all that were starting: one stroke, however many it hit
        if killed:
            self._last_stroke = self._newest
        self._start_failures.append(reason)
        most = SAME_STROKES if killed else SAME_START_FAILURES
        alike = self._start_failures[-most:]
        if len(self._start_failures) >= START_FAILURES or (len(alike) == most and len(set(alike)) == 1):
            times = len(self._start_failures)
            broken = WorkerStartError(f"{times} workers in a row failed to start: {reason}")
            broken.__cause__ = error.__cause__ or error
            self.break_(broken)

    def break_(self, error: ElsewhereError) -> None:
        """No worker will do anything any more, and none is started: calls that have not begun fail with `error`.

        So do all that are added later. What workers hold goes on until it is answered, or they are `lost`. A second
        time changes nothing.
        """
        if self.broken is None:
            self.broken = error
            self._abandon(error)

    # ---- timers ----------------------------------------------------------------------------------------------------

    def next_timer(self) -> float | None:
        """When `tick` wants to be called, or None."""
        timers = self._timers
        if not timers and not self._delayed:
            return None
        while timers and not self._is_due(*timers[0]):
            heapq.heappop(timers)
        times = [timers[0][0]] if timers else []
        if self._delayed:
            times.append(self._delayed[0][0])
        return min(times, default=None)

    @staticmethod
    def _is_due(at: float, _: int, peer: Peer) -> bool:
        """Is it still so that a worker is to be looked at, or killed, at this time?"""
        return at in (peer.check_at, peer.kill_at)

    def _check_at(self, peer: Peer, at: float) -> None:
        """Look at a worker at this time, or earlier if that is planned already."""
        if at < inf and peer.state is not State.KILLED and (peer.check_at is None or at < peer.check_at):
            peer.check_at = at
            self._plan(peer, at)

    def _kill_at(self, peer: Peer, at: float) -> None:
        """Kill a worker at this time, or earlier if that is planned already."""
        if peer.state is not State.KILLED and (peer.kill_at is None or at < peer.kill_at):
            peer.kill_at = at
            self._plan(peer, at)

    def _excuse(self, peer: Peer, now: float) -> None:
        """What a worker was interrupted in is over: it is not to be killed for it."""
        peer.interrupted, peer.cancelled = 0, False
        peer.kill_at = None
        if self.terminated:
            self._kill_at(peer, self._end_at)
        self._check_at(peer, self._next_check(peer, now))

    def _next_check(self, peer: Peer, now: float) -> float:
        """When to look next at a worker whose present call is in time.

        A call that has not begun yet cannot be late before its whole timeout has passed. One that nobody wants may have
        begun in the moment when it was to be skipped.
        """
        timeouts = [run.job.timeout for run in peer.held if run.job.timeout is not None]
        if peer.holds_settled():
            timeouts.append(self.grace)
        return now + min(timeouts, default=inf)

    def _plan(self, peer: Peer, at: float) -> None:
        heapq.heappush(self._timers, (at, next(self._order), peer))
        if len(self._timers) > STALE + 4 * len(self.peers):  # a worker has two at most
            planned = [(at, peer) for peer in self.peers.values() for at in (peer.check_at, peer.kill_at)]
            self._timers = [(at, next(self._order), peer) for at, peer in planned if at is not None]
            heapq.heapify(self._timers)

"""The workers of a pool: how many there are to be, when each is looked at or killed, and when one leaves.

Rule: knows workers, and of calls only whether there are any. Which worker gets which call is `scheduler`'s business.
"""

from __future__ import annotations

import itertools
from math import inf

from elsewhere.errors import ElsewhereError, WorkerStartError
from elsewhere.sansio.scheduling.jobs import Retire, Start
from elsewhere.sansio.scheduling.ledger import Ledger
from elsewhere.sansio.scheduling.peer import Peer, State

__all__ = ["Staff"]

SAME_START_FAILURES = 3  # in a row, alike: the next would fail as well
SAME_STROKES = 5  # in a row, of kills alike: they may have come from outside, which is no reason to give up so soon
START_FAILURES = 10  # in a row, of any kind


class Staff(Ledger):
    """A pool's workers.

    Args:
        size: workers to keep while there is work.
        lifetime: calls after which a worker is replaced; None for never.
        grace: seconds between asking a worker for something and killing it.

    Attributes:
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
        self._timed: dict[Peer, None] = {}  # a set in a fixed order: the same events give the same actions
        self._keys = itertools.count(1)
        self._start_failures: list[str] = []
        self._last_stroke = 0  # the newest worker there was when one was last killed before it was ready

    def _staff(self) -> None:
        """Start workers until there are as many as the work justifies."""
        if self.terminated or self.broken is not None:
            return
        wanted = min(self.size, self.unfinished) if self.closing else self.size
        here = 0
        for peer in self.peers.values():
            here += peer.state is not State.LEAVING
        for _ in range(here, wanted):
            key = next(self._keys)
            self.peers[key] = Peer(key, self.lifetime)
            self.actions.append(Start(key))

    def _replace_if_worn(self, peer: Peer) -> None:
        if peer.left == 0 and not peer.held and peer.state is State.READY:
            self._retire(peer)
            self._staff()

    def _retire(self, peer: Peer) -> None:
        peer.state = State.LEAVING
        self.actions.append(Retire(peer.key))

    def _leave_if_done(self) -> None:
        if self.closing and not self.unfinished and not self.terminated:
            for peer in self.peers.values():
                if peer.state is State.READY and not peer.held:
                    self._retire(peer)

    def _start_failed(self, key: int, reason: str, error: ElsewhereError, killed: bool) -> None:
        if self.broken is not None or (killed and key <= self._last_stroke):
            return  # the fork server's end kills all that were starting: one stroke, however many it hit
        if killed:
            self._last_stroke = max([key, *self.peers])
        self._start_failures.append(reason)
        most = SAME_STROKES if killed else SAME_START_FAILURES
        alike = self._start_failures[-most:]
        if len(self._start_failures) >= START_FAILURES or (len(alike) == most and len(set(alike)) == 1):
            times = len(self._start_failures)
            self.broken = WorkerStartError(f"{times} workers in a row failed to start: {reason}")
            self.broken.__cause__ = error.__cause__ or error
            self._abandon(self.broken)

    def next_timer(self) -> float | None:
        """When `tick` wants to be called, or None."""
        if not self._timed and not self._delayed:
            return None
        times = [at for peer in self._timed for at in (peer.check_at, peer.kill_at) if at is not None]
        if self._delayed:
            times.append(self._delayed[0][0])
        return min(times, default=None)

    def _check_at(self, peer: Peer, at: float) -> None:
        """Look at a worker at this time, or earlier if that is planned already."""
        if at < inf and peer.state is not State.KILLED and (peer.check_at is None or at < peer.check_at):
            peer.check_at = at
            self._timed[peer] = None

    def _kill_at(self, peer: Peer, at: float) -> None:
        """Kill a worker at this time, or earlier if that is planned already."""
        if peer.state is not State.KILLED and (peer.kill_at is None or at < peer.kill_at):
            peer.kill_at = at
            self._timed[peer] = None

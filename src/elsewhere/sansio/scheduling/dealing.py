"""Who is handed which calls, and from whom they are taken back.

Rule: a decision costs the same for two workers and for ten thousand. Whoever could take something is in a set (`_idle`,
`_hungry`, `_laden`), goes in when something happens to it alone, and comes out when it is dealt with: nothing here
walks over the workers.

Idle workers come before all others, so that nothing queues behind a call while one is free; of these, the one that was
busy last, whose caches are warm and who may not even sleep yet. When workers are idle and a worker's present call turns
out to be long, the calls it has not begun are taken back (`_watch_stall`): it is told to begin no further call before
it has read its socket, then looked at (`FENCE` after the driver has said `recalled`), and only what it had not begun by
then is withdrawn. It cannot begin one in between:

    worker, before each call:   STARTED = n   then   is there a recall I have not answered? wait for what it withdraws
    pool:                       recall        then   STARTED? what is beyond it is withdrawn
"""

from __future__ import annotations

from elsewhere.sansio.scheduling.credits import closing, room
from elsewhere.sansio.scheduling.jobs import Job, Recall, Send, Withdraw
from elsewhere.sansio.scheduling.peer import Peer, Recalling, State
from elsewhere.sansio.scheduling.staff import Staff

__all__ = ["FENCE", "PATIENCE", "STRANDED", "Dealing"]

PATIENCE = 0.002  # seconds a call may run, while workers are idle, before those behind it are taken back
STRANDED = 0.004  # seconds of work behind it, by what has been measured: they are too many, however short it is
_READY, _CALM = State.READY, Recalling.NO  # looked up for each decision, which an enum is slow at
FENCE = 0.0005  # seconds from a recall to the look that decides: far longer than a store can wait to be seen


class Dealing(Staff):
    """What waits meets who has room.

    Args:
        budget: seconds of work a worker may hold ahead; 0 hands calls over one by one.
    """

    def __init__(self, size: int, *, lifetime: int | None, grace: float, budget: float) -> None:
        super().__init__(size, lifetime=lifetime, grace=grace)
        self.budget = budget
        self._hungry: dict[Peer, None] = {}  # may have room, idle or not
        self._laden: dict[Peer, None] = {}  # may hold calls they are long in coming to, and nobody is to look soon

    def _forget(self, peer: Peer) -> None:
        """A worker is handed nothing more, and looked at no more."""
        peer.check_at = peer.kill_at = None
        self._idle.pop(peer, None)
        self._hungry.pop(peer, None)
        self._laden.pop(peer, None)

    # ---- handing over ----------------------------------------------------------------------------------------------

    def _deal(self, now: float) -> None:
        """Hand over what is ready: to idle workers, evenly; then to those that have room."""
        ready, idle, hungry = self._ready, self._idle, self._hungry
        if not ready:
            return
        while ready and idle:
            peer, _ = idle.popitem()
            self._fill(peer, now, len(idle) + 1)
        still: list[Peer] = []
        while ready and hungry:
            peer, _ = hungry.popitem()
            if self._fill(peer, now):
                still.append(peer)
        for peer in still:
            hungry[peer] = None
        if self._laden:
            self._watch_others(now)

    def _hand_one(self, job: Job, index: int, now: float) -> bool:
        """A lone call, and nothing waits: `_deal` would give it to the same idle worker. False if there is none."""
        if not self._idle:
            return False
        peer, _ = self._idle.popitem()
        self._hand(peer, job, index, index + 1, now)
        return True

    def _hand(self, peer: Peer, job: Job, lo: int, hi: int, now: float) -> None:
        peer.hold(job, lo, hi, now)
        self.actions.append(Send(peer.key, job, lo, hi))
        if peer.outstanding > 1:
            self._laden[peer] = None
        if job.timeout is not None:
            self._check_at(peer, now + job.timeout)

    def _fill(self, peer: Peer, now: float, sharers: int = 1) -> bool:
        """Hand over calls from the front of the queue until the worker holds its share; may it have room for more?"""
        if peer.state is not _READY or peer.recalling is not _CALM or peer.dismissed:
            return False
        ready = self._ready
        while ready:
            run = ready[0]
            count = min(room(peer, run.job, self.budget), run.hi - run.lo)
            if count <= 0:
                return False
            last = run.job.whole and run.job.chunk is None and count > (most := closing(run, self.size, self.budget))
            if last:
                if peer.held and peer.load() > self.budget / 2:
                    return False
                count = most
            if sharers > len(ready) and run.job.chunk is None:
                count = min(count, -(-sum(run.hi - run.lo for run in ready) // sharers))
            lo = run.lo
            run.lo += count
            if run.lo == run.hi:
                ready.popleft()
            self._hand(peer, run.job, lo, run.lo, now)
            if sharers > 1 or last:
                break
        return True

    def _offer(self, peer: Peer, now: float) -> None:
        """Something happened to a worker: it may have room."""
        if self._fill(peer, now):
            self._hungry[peer] = None
            if not peer.held:
                self._idle[peer] = None
                if self._laden:
                    self._watch_others(now)

    # ---- taking back -----------------------------------------------------------------------------------------------

    def _watch_others(self, now: float) -> None:
        """If a worker has nothing to do, look soon at those that hold calls they may be long in coming to.

        Nothing waits then: `_deal` has handed it over.
        """
        if self._idle and self.budget:
            for peer in self._laden:
                if peer.outstanding > 1 and peer.recalling is Recalling.NO:
                    self._check_at(peer, now + PATIENCE)
            self._laden.clear()

    def _watch_stall(self, peer: Peer, started: int, since: float, now: float, arrives: float) -> None:
        """Take back what the worker has not begun if its present call is long and others are idle."""
        waiting = peer.outstanding - max(0, started - peer.done)
        if waiting <= 0 or peer.recalling is not Recalling.NO or not self.budget or self._ready or not self._idle:
            return
        if self.terminated or self.broken is not None:  # nobody else could have them
            return
        long_since = max(since, peer.fed) if started <= peer.done else since
        due = long_since + PATIENCE if waiting * (peer.held[-1].job.seconds or 0.0) <= STRANDED else now
        due = max(due, arrives)
        if now >= due:
            peer.turn_recall("Recall")
            peer.fence = now + FENCE
            self.actions.append(Recall(peer.key))
            self._check_at(peer, peer.fence)
        else:
            peer.check_at = None  # an earlier look would find no more than this one
            self._check_at(peer, due)

    def _withdraw(self, peer: Peer, started: int, now: float) -> None:
        """What the worker had not begun some time after it was asked to stop is not begun by it: others may have it."""
        peer.turn_recall("Withdraw")
        first = max(started, peer.done) + 1
        self.actions.append(Withdraw(peer.key, first))
        if peer.interrupted >= first:  # who looked had guessed, and it had not begun that one
            self._excuse(peer, now)
        for run in reversed(peer.withdraw(first)):
            self._give_back(run)
        self._deal(now)

"""Which call goes to which worker, and when.

Rule: everything that decides about calls and workers lives here. No I/O, no clock, no thread: the driver tells what
happened and what time it is, the scheduler fills `actions`, and the driver carries them out and decides nothing.

::

    add ─> ready ──Send──> held by a worker ──finished──> over
             ^                │      │
             │ backoff        │      ├─ failed, or lost while it ran ──> again (Retry) or Failed
             └── delayed <────┘      └─ lost before it began ──> ready, at the front

A worker answers its calls in the order they were handed over, so an answer is a count, and the calls it speaks of are
the first of what the worker holds. Decisions are therefore made per run of calls, and a run is split only where
something happens to one call. Calls a worker has begun are counted from 1 over its whole life: an *ordinal*.

Who is handed what, and from whom it is taken back, is `dealing`'s business, and how many calls a worker may hold is
`credits`'.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from math import inf

from elsewhere.errors import CallTimeout, ElsewhereError, PoolClosed
from elsewhere.sansio.scheduling.credits import BUDGET, measure
from elsewhere.sansio.scheduling.dealing import FENCE, PATIENCE, STRANDED, Dealing
from elsewhere.sansio.scheduling.jobs import (
    Failed,
    Interrupt,
    Job,
    Kill,
    Observe,
    Run,
    Skip,
    Stop,
)
from elsewhere.sansio.scheduling.ledger import Span
from elsewhere.sansio.scheduling.peer import Peer, Recalling, State, holder

__all__ = ["FENCE", "PATIENCE", "STRANDED", "Scheduler", "Span"]


class Scheduler(Dealing):
    """The state machine of one pool.

    Args:
        size: workers to keep while there is work.
        lifetime: calls after which a worker is replaced (a chunk that was asked for counts as one); None for never.
        grace: seconds between interrupting a call, or asking a worker to stop, and killing the worker.
        budget: seconds of work a worker may hold ahead; 0 hands calls over one by one.

    Attributes:
        size: as above; `resize` changes it.
        peers: the workers, by key.
        lost_workers: workers that died without being asked to.
        closing: no more calls will come.
    """

    def __init__(self, size: int, *, lifetime: int | None = None, grace: float = 0.2, budget: float = BUDGET) -> None:
        super().__init__(size, lifetime=lifetime, grace=grace, budget=budget)

    # ---- what users want -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start the workers."""
        self._staff()

    def resize(self, size: int, now: float, *, first: Iterable[int] = ()) -> None:
        """From now on keep `size` workers, 0 or more: others are started, or the surplus leaves.

        Of too many, those that start or are idle leave at once (`Retire`), those that hold calls when these are
        answered. A pool of none keeps its calls until it grows, or until `break_`.

        Args:
            first: keys of workers that are to leave before others.
        """
        for peer in self._resize(size, first):
            self._offer(peer, now)

    def add(self, job: Job, lo: int, hi: int, now: float) -> None:
        """Calls `lo` up to but not including `hi` of a job are ready to go."""
        if lo >= hi:
            return  # an empty run at the front of the queue would never be handed over, nor anything behind it
        self.unfinished += hi - lo
        if self.broken is not None or self.terminated:
            error = self.broken or PoolClosed("the pool was terminated before this call started")
            self._give_up(job, range(lo, hi), error)
            return
        if hi - lo == 1 and not self._ready and self._hand_one(job, lo, now):
            return
        last = self._ready[-1] if self._ready else None
        if last is not None and last.job is job and last.hi == lo:
            last.hi = hi
        else:
            self._ready.append(Run(job, lo, hi))
        self._staff()
        self._deal(now)

    def cancel(self, job: Job, index: int, now: float) -> bool:
        """Forget one call, interrupting it if it runs; False if its outcome is already told."""
        if index in job.settled:
            return False
        if (found := holder(job, index)) is not None:
            self._settle(found[0], job, index, found[1], now)
            return True
        for at, run in enumerate(self._ready):
            if run.job is job and run.lo <= index < run.hi:
                del self._ready[at]
                for piece in (Run(job, index + 1, run.hi), Run(job, run.lo, index)):  # where it was, not in front
                    if piece.lo < piece.hi:
                        self._ready.insert(at, piece)
                self._over(job, index)
                return True
        for entry in self._delayed:
            if entry[2] is job and entry[3] == index:
                self._delayed.remove(entry)
                heapq.heapify(self._delayed)
                self._over(job, index)
                return True
        return False

    def drop(self, job: Job, now: float) -> int:
        """Forget all calls of a job whose outcome is not told, interrupting those that run; returns how many."""
        before = self.unfinished
        for run in [run for run in self._ready if run.job is job]:
            self._ready.remove(run)
            self.unfinished -= run.hi - run.lo
        gone = [entry for entry in self._delayed if entry[2] is job]
        self._delayed = [entry for entry in self._delayed if entry[2] is not job]
        heapq.heapify(self._delayed)
        self.unfinished -= len(gone)
        for peer in dict.fromkeys(job.held.values()):
            for index, ordinal in list(peer.calls_of(job)):
                if index not in job.settled:
                    self._settle(peer, job, index, ordinal, now)
        job.failures.clear()
        self._leave_if_done()
        return before - self.unfinished

    def close(self) -> None:
        """No more calls will come: finish those there are, then let the workers go."""
        self.closing = True
        self._leave_if_done()

    def terminate(self, now: float) -> None:
        """Stop everything: calls that have not begun fail with `PoolClosed`, running ones with their worker."""
        if self.terminated:
            return
        self.closing = self.terminated = True
        self._end_at = now + self.grace
        self._abandon(PoolClosed("the pool was terminated before this call started"))
        for peer in self.peers.values():
            self.actions.append(Stop(peer.key))
            self._kill_at(peer, self._end_at)

    # ---- what workers did ----------------------------------------------------------------------------------------

    def worker_ready(self, key: int, now: float) -> None:
        """The worker has started, its initializer has run."""
        self._start_failures.clear()
        peer = self.peers[key]
        if peer.state is State.STARTING:
            peer.turn("worker_ready")
            self._release_if_due(peer)  # it may have been worn before, or come too late
            self._offer(peer, now)

    def finished(self, key: int, count: int, seconds: float, now: float) -> list[Span]:
        """The first `count` calls the worker holds returned values; they took `seconds` altogether.

        Returns:
            spans that cover the answer in order; a job of None marks values that nobody wants any more.
        """
        peer = self.peers[key]
        spans: list[Span] = []
        each = seconds / count
        while count:
            run = peer.held[0]
            job, lo = run.job, run.lo
            taken = min(count, run.hi - lo)
            peer.answered(taken)
            measure(job, taken, each)
            if job.settled or job.failures:
                taken_indexes = range(lo, lo + taken)
                spans.extend(self._wanted(job, taken_indexes))
            else:
                self.unfinished -= taken
                spans.append((job, lo, lo + taken))
            count -= taken
        self._relieve(peer, now)
        return spans

    def failed(self, key: int, error: BaseException, seconds: float, now: float) -> None:
        """The first call the worker holds raised `error`, or was skipped as asked."""
        peer = self.peers[key]
        job, index = peer.first
        peer.answered(1)
        measure(job, 1, seconds)
        if peer.interrupted == peer.done and not peer.cancelled:
            error = self._too_late(job)
        if self._fault(job, index, error, now):  # another may be idle, and this one may have room for it
            self._deal(now)
        self._relieve(peer, now)

    def worn(self, key: int) -> None:
        """The worker is to be replaced: it gets no more calls, and leaves when those it holds are answered."""
        peer = self.peers[key]
        peer.left, peer.worn = 0, True
        self._release_if_due(peer)

    def observed(self, key: int, started: int, since: float, now: float, arrives: float = 0.0) -> None:
        """The worker has begun `started` calls, the last of them at `since`.

        Answers that came just before the look may not be told yet, so it need not be in the first call it holds. What
        it was handed last may be on its way until `arrives`: nothing is taken back from it sooner, or it would be dealt
        from one worker to the next and never begin.
        """
        peer = self.peers.get(key)
        if peer is None or peer.state is State.KILLED:
            return
        if peer.recalling is Recalling.ASKED:
            if now >= peer.fence:
                self._withdraw(peer, started, now)
            else:  # it was to be looked at for another reason
                self._check_at(peer, peer.fence)
        if not peer.held:
            return
        self._watch_stall(peer, started, since, now, arrives)
        if started and peer.interrupted == started:
            return
        deadline = inf
        if (call := peer.call_at(started)) is not None:
            job, index = call
            cancelled = index in job.settled
            deadline = inf if job.timeout is None else since + job.timeout
            if cancelled or now >= deadline:
                peer.interrupted, peer.cancelled = started, cancelled
                self._kill_at(peer, now + self.grace)
                self.actions.append(Interrupt(key, started, cancelled))
                if not cancelled:
                    self._time_out(job, index)
                return
        self._check_at(peer, min(deadline, self._next_check(peer, now)))

    def recalled(self, key: int, now: float) -> None:
        """A `Recall` was carried out, at `now` or before: the look that decides has to come long enough after that."""
        peer = self.peers.get(key)
        if peer is not None and peer.recalling is Recalling.ASKED:
            peer.fence = now + FENCE

    def released(self, key: int, now: float) -> None:
        """The worker has dropped the calls that were withdrawn: it may be given others."""
        peer = self.peers.get(key)
        if peer is not None and peer.recalling is Recalling.WITHDRAWN:
            peer.turn_recall("released")
            self._relieve(peer, now)

    def lost(self, key: int, started: int, error: ElsewhereError, now: float, *, killed: bool = False) -> None:
        """The worker is certainly gone, its answers have been told; it had begun `started` calls.

        The one it was in gets `error`; those it had not begun go back to the front of the queue. `killed` tells that
        somebody outside may have done it, by SIGKILL or through the fork server.
        """
        peer = self.peers.pop(key)
        self._uncount(peer)
        self._forget(peer)
        kept = [action for action in self.actions if isinstance(action, Failed) or action.worker != key]
        self.actions.clear()  # its last answers may have brought it calls that were not sent yet
        self.actions.extend(kept)
        expected = peer.state is State.LEAVING or self.terminated
        self.lost_workers += not expected
        if peer.held and started > peer.done:
            job, index = peer.first
            ran_out = peer.interrupted == started and not peer.cancelled
            peer.answered(1)
            self._fault(job, index, self._too_late(job) if ran_out else error, now)
        for run in reversed(peer.withdraw(peer.done + 1)):
            self._give_back(run)
        if peer.state is State.STARTING and not expected:
            self._start_failed(key, str(error), error, killed)
        self._staff()
        self._deal(now)

    # ---- time ----------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Time has passed."""
        timers = self._timers
        while timers and timers[0][0] <= now:
            peer = heapq.heappop(timers)[2]
            if peer.kill_at is not None and now >= peer.kill_at:
                self._forget(peer)
                peer.turn("Kill")
                self.actions.append(Kill(peer.key))
            elif peer.check_at is not None and now >= peer.check_at:
                peer.check_at = None
                self._laden[peer] = None
                self.actions.append(Observe(peer.key))
        while self._delayed and self._delayed[0][0] <= now:
            _, _, job, index = heapq.heappop(self._delayed)
            self._ready.append(Run(job, index, index + 1))
        self._deal(now)

    def _relieve(self, peer: Peer, now: float) -> None:
        """The worker has answered something: it may have room now, and what it was interrupted in may be over."""
        if self._start_failures:
            self._start_failures.clear()  # workers do start, whatever is killing some of them
        if peer.interrupted and peer.done >= peer.interrupted:
            self._excuse(peer, now)
        if peer.left == 0 or peer.dismissed or self.closing:
            self._release_if_due(peer)
        self._offer(peer, now)
        if self.closing:
            self._leave_if_done()

    # ---- calls that are told before their worker is free of them ---------------------------------------------------

    def _settle(self, peer: Peer, job: Job, index: int, ordinal: int, now: float) -> None:
        """A worker holds a call nobody wants any more: skip it, or interrupt it if it runs."""
        job.settled.add(index)
        self._over(job, index)
        self.actions.append(Skip(peer.key, ordinal, ordinal))
        self._check_at(peer, now)

    def _time_out(self, job: Job, index: int) -> None:
        """A call is past its deadline: say so at once, unless it is to be run again when its worker is free of it."""
        error = self._too_late(job)
        failures = job.failures.get(index, 0) + 1
        if job.retry is None or not job.retry.wants(error, failures):
            job.settled.add(index)
            self.actions.append(Failed(job, index, error, failures))
            self._over(job, index)

    # ---- starting, deadlines ---------------------------------------------------------------------------------------

    @staticmethod
    def _too_late(job: Job) -> CallTimeout:
        return CallTimeout(f"the call ran longer than its timeout of {job.timeout:g} s")

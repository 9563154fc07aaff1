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

Credits instead of chunks: a worker holds as many calls as make `BUDGET` seconds of work by the job's running mean, at
least one, at most `MOST`, and at most as many as the job has already seen answered (so that one quick first call does
not strand a hundred slow ones behind it).
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterator
from math import ceil, inf

from elsewhere.errors import CallTimeout, ElsewhereError, PoolClosed, WorkerStartError
from elsewhere.sansio.jobs import Action, Failed, Interrupt, Job, Kill, Observe, Retire, Run, Send, Skip, Start, Stop
from elsewhere.sansio.peer import Peer, State

__all__ = ["Scheduler", "Span"]

BUDGET = 0.002  # seconds of work a worker may hold: hides a round trip of some 0.1 ms, strands little
MOST = 512  # calls a worker may hold: more than the 0.2 ms between its doorbells can use up
SAME_START_FAILURES = 3  # in a row, alike: the next would fail as well
START_FAILURES = 10  # in a row, of any kind

Span = tuple[Job | None, int, int]  # a job and a range of its indexes, lo up to but not including hi


class Scheduler:
    """The state machine of one pool.

    Args:
        size: workers to keep while there is work.
        lifetime: calls after which a worker is replaced (a chunk that was asked for counts as one); None for never.
        grace: seconds between interrupting a call, or asking a worker to stop, and killing the worker.
        budget: seconds of work a worker may hold ahead; 0 hands calls over one by one.

    Attributes:
        actions: what the driver is to do, in order; it takes them out.
        unfinished: calls added whose outcome has not been told.
        broken: the error that every call gets since workers cannot start; None while they can.
    """

    def __init__(self, size: int, *, lifetime: int | None = None, grace: float = 0.2, budget: float = BUDGET) -> None:
        self.size = size
        self.lifetime = lifetime
        self.grace = grace
        self.budget = budget
        self.actions: deque[Action] = deque()
        self.unfinished = 0
        self.retried = 0
        self.lost_workers = 0
        self.broken: WorkerStartError | None = None
        self.peers: dict[int, Peer] = {}
        self.closing = self.terminated = False
        self._ready: deque[Run] = deque()
        self._delayed: list[tuple[float, int, Job, int]] = []
        self._timed: dict[Peer, None] = {}  # a set in a fixed order: the same events give the same actions
        self._keys = itertools.count(1)
        self._order = itertools.count()
        self._start_failures: list[str] = []
        self._end_at = inf  # when workers that are still there are killed: `grace` after `terminate`

    # ---- what users want -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start the workers."""
        self._staff()

    def add(self, job: Job, lo: int, hi: int, now: float) -> None:
        """Calls `lo` up to but not including `hi` of a job are ready to go."""
        if lo >= hi:
            return  # an empty run at the front of the queue would never be handed over, nor anything behind it
        self.unfinished += hi - lo
        if self.broken is not None or self.terminated:
            error = self.broken or PoolClosed("the pool was terminated before this call started")
            self._give_up(job, range(lo, hi), error)
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
        for peer in self.peers.values():
            if (ordinal := peer.ordinal_of(job, index)) is not None:
                self._settle(peer, job, index, ordinal, now)
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
        for peer in self.peers.values():
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
            peer.state = State.READY
            self._fill(peer, now)
            self._leave_if_done()

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
            self._measure(job, taken, each)
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
        self._measure(job, 1, seconds)
        if peer.interrupted == peer.done and not peer.cancelled:
            error = self._too_late(job)
        again = self._fault(job, index, error, now)
        self._relieve(peer, now)
        if again:  # this worker may have no room for it while another is idle
            self._deal(now)

    def worn(self, key: int) -> None:
        """The worker is to be replaced: it gets no more calls, and leaves when those it holds are answered."""
        peer = self.peers[key]
        peer.left = 0
        self._replace_if_worn(peer)

    def observed(self, key: int, started: int, since: float, now: float) -> None:
        """The worker has begun `started` calls, the last of them at `since`.

        Answers that came just before the look may not be told yet, so it need not be in the first call it holds.
        """
        peer = self.peers.get(key)
        if peer is None or peer.state is State.KILLED or not peer.held or (started and peer.interrupted == started):
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

    def lost(self, key: int, started: int, error: ElsewhereError, now: float) -> None:
        """The worker is certainly gone, its answers have been told; it had begun `started` calls.

        The one it was in gets `error`; those it had not begun go back to the front of the queue.
        """
        peer = self.peers.pop(key)
        self._timed.pop(peer, None)
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
        for run in reversed(peer.held):
            self._give_back(run)
        if peer.state is State.STARTING and not expected:
            self._start_failed(str(error), error)
        self._staff()
        self._deal(now)

    # ---- time ----------------------------------------------------------------------------------------------------

    def next_timer(self) -> float | None:
        """When `tick` wants to be called, or None."""
        times = [at for peer in self._timed for at in (peer.check_at, peer.kill_at) if at is not None]
        if self._delayed:
            times.append(self._delayed[0][0])
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Time has passed."""
        for peer in list(self._timed):
            if peer.kill_at is not None and now >= peer.kill_at:
                peer.kill_at = peer.check_at = None
                peer.state = State.KILLED
                self.actions.append(Kill(peer.key))
            elif peer.check_at is not None and now >= peer.check_at:
                peer.check_at = None
                self.actions.append(Observe(peer.key))
            if peer.check_at is None and peer.kill_at is None:
                self._timed.pop(peer, None)
        while self._delayed and self._delayed[0][0] <= now:
            _, _, job, index = heapq.heappop(self._delayed)
            self._ready.append(Run(job, index, index + 1))
        self._deal(now)

    # ---- dealing -------------------------------------------------------------------------------------------------

    def _staff(self) -> None:
        """Start workers until there are as many as the work justifies."""
        if self.terminated or self.broken is not None:
            return
        wanted = min(self.size, self.unfinished) if self.closing else self.size
        here = sum(peer.state is not State.LEAVING for peer in self.peers.values())
        for _ in range(here, wanted):
            key = next(self._keys)
            self.peers[key] = Peer(key, self.lifetime)
            self.actions.append(Start(key))

    def _deal(self, now: float) -> None:
        if self._ready:
            for peer in self.peers.values():
                if peer.state is State.READY:
                    self._fill(peer, now)
                    if not self._ready:
                        break

    def _fill(self, peer: Peer, now: float) -> None:
        """Hand over calls from the front of the queue until the worker holds its share."""
        ready = self._ready
        while ready and peer.state is State.READY:
            run = ready[0]
            count = min(self._room(peer, run.job), run.hi - run.lo)
            if count <= 0:
                return
            lo = run.lo
            run.lo += count
            if run.lo == run.hi:
                ready.popleft()
            peer.hold(run.job, lo, run.lo)
            self.actions.append(Send(peer.key, run.job, lo, run.lo))
            if run.job.timeout is not None:
                self._check_at(peer, now + run.job.timeout)

    def _room(self, peer: Peer, job: Job) -> int:
        """How many more calls of this job the worker may hold."""
        room = MOST if peer.left is None else peer.left
        if job.chunk is not None:
            small = job.seconds is not None and job.seconds * job.chunk < self.budget
            return job.chunk if room and peer.outstanding <= (job.chunk if small else 0) else 0
        if job.seconds is None:
            return min(room, 0 if peer.outstanding else 1)
        if not peer.outstanding:
            return min(room, max(1, min(self._share(job, 0.0), job.answered, MOST)))
        load = peer.load()
        if load > self.budget / 2 or peer.outstanding > MOST // 2:  # top up by halves
            return 0
        return min(room, self._share(job, load), min(job.answered, MOST) - peer.outstanding)

    def _share(self, job: Job, load: float) -> int:
        """How many calls of a job fill the budget up."""
        return ceil((self.budget - load) / max(job.seconds or 0.0, 1e-9))

    def _measure(self, job: Job, count: int, seconds: float) -> None:
        """Answers that were found by looking, or skipped, come without a time: 0 says nothing."""
        job.answered += count
        if seconds > 0:
            job.seconds = seconds if job.seconds is None else job.seconds + (seconds - job.seconds) / 2

    def _relieve(self, peer: Peer, now: float) -> None:
        """The worker has answered something: it may have room now, and what it was interrupted in may be over."""
        self._start_failures.clear()  # workers do start, whatever is killing some of them
        if peer.interrupted and peer.done >= peer.interrupted:
            peer.interrupted, peer.cancelled = 0, False
            peer.kill_at = None
            if self.terminated:
                self._kill_at(peer, self._end_at)
            self._check_at(peer, self._next_check(peer, now))
        self._replace_if_worn(peer)
        self._fill(peer, now)
        self._leave_if_done()

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

    # ---- outcomes ------------------------------------------------------------------------------------------------

    def _over(self, job: Job, index: int) -> None:
        job.failures.pop(index, None)
        self.unfinished -= 1
        self._leave_if_done()

    def _wanted(self, job: Job, indexes: range) -> Iterator[Span]:
        """A range cut where the outcome is told already; the rest of it is over now."""
        lo = indexes.start
        for index in indexes:
            if index in job.settled:
                job.settled.discard(index)
                if lo < index:
                    yield job, lo, index
                yield None, index, index + 1
                lo = index + 1
            else:
                self.unfinished -= 1  # its failures stay: whoever takes the value counts the attempts by them
        if lo < indexes.stop:
            yield job, lo, indexes.stop

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

    def _fault(self, job: Job, index: int, error: BaseException, now: float) -> bool:
        """A run of one call failed and its worker is free of it: repeat it or give it up.

        Returns:
            whether it is ready to be handed over again.
        """
        if index in job.settled:
            job.settled.discard(index)
            return False
        failures = job.failures.get(index, 0) + 1
        delay = None if self.terminated or self.broken is not None else self._delay(job, error, failures)
        if delay is not None:
            job.failures[index] = failures
            self.retried += 1
            if not delay:
                self._ready.append(Run(job, index, index + 1))
                return True
            heapq.heappush(self._delayed, (now + delay, next(self._order), job, index))
            return False
        self.actions.append(Failed(job, index, error, failures))
        self._over(job, index)
        return False

    @staticmethod
    def _delay(job: Job, error: BaseException, failures: int) -> float | None:
        """Seconds until a failed call is repeated, None for never."""
        if job.retry is None or not job.retry.wants(error, failures):
            return None
        try:
            return job.retry.delay(failures)
        except Exception as failure:  # noqa: BLE001 - backoff is the user's function: it fails this call, not the pool
            error.add_note(f"not repeated: Retry(backoff=...) raised {failure!r}")
            return None

    def _give_up(self, job: Job, indexes: range, error: BaseException) -> None:
        """Calls that will never start fail."""
        for index in indexes:
            if index in job.settled:
                job.settled.discard(index)
            else:
                self.actions.append(Failed(job, index, error, job.failures.get(index, 0)))
                self._over(job, index)

    def _give_back(self, run: Run) -> None:
        """Calls a lost worker had not begun go to the front of the queue."""
        if self.terminated or self.broken is not None:
            error = self.broken or PoolClosed("the pool was terminated before this call started")
            self._give_up(run.job, range(run.lo, run.hi), error)
            return
        hi = run.hi
        for index in range(run.hi - 1, run.lo - 1, -1):
            if index in run.job.settled:
                run.job.settled.discard(index)
                if index + 1 < hi:
                    self._ready.appendleft(Run(run.job, index + 1, hi))
                hi = index
        if run.lo < hi:
            self._ready.appendleft(Run(run.job, run.lo, hi))

    def _abandon(self, error: ElsewhereError) -> None:
        """Everything that waits here fails."""
        runs, self._ready = self._ready, deque()
        delayed, self._delayed = self._delayed, []
        for run in runs:
            self._give_up(run.job, range(run.lo, run.hi), error)
        for _, _, job, index in delayed:
            self._give_up(job, range(index, index + 1), error)

    def _start_failed(self, reason: str, error: ElsewhereError) -> None:
        if self.broken is not None:
            return
        self._start_failures.append(reason)
        alike = self._start_failures[-SAME_START_FAILURES:]
        if len(self._start_failures) >= START_FAILURES or (len(alike) == SAME_START_FAILURES and len(set(alike)) == 1):
            times = len(self._start_failures)
            self.broken = WorkerStartError(f"{times} workers in a row failed to start: {reason}")
            self.broken.__cause__ = error.__cause__ or error
            self._abandon(self.broken)

    @staticmethod
    def _too_late(job: Job) -> CallTimeout:
        return CallTimeout(f"the call ran longer than its timeout of {job.timeout:g} s")

    def _next_check(self, peer: Peer, now: float) -> float:
        """When to look next at a worker whose present call is in time.

        A call that has not begun yet cannot be late before its whole timeout has passed. One that nobody wants may have
        begun in the moment when it was to be skipped.
        """
        timeouts = [run.job.timeout for run in peer.held if run.job.timeout is not None]
        if peer.holds_settled():
            timeouts.append(self.grace)
        return now + min(timeouts, default=inf)

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

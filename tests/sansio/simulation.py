"""A scheduler between a made-up driver and made-up workers, and a model that knows what must happen.

Rule: no process, no thread, no sleep; time is a number that a test moves. All that the scheduler answers is compared
with the model: the queue call by call, each failure with its attempts, each value with who wants it.

A `Worker` does what a real one may: begin, answer, fail, be deaf to interrupts, skip, die at any point. What it
has done is told later (`tell`), in the order it was done, as the page and the socket do it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf

from elsewhere.call import Retry
from elsewhere.errors import CallCancelled, CallTimeout, ElsewhereError, PoolClosed, WorkerLost, WorkerStartError
from elsewhere.sansio.credits import MOST
from elsewhere.sansio.jobs import Failed, Interrupt, Job, Kill, Observe, Retire, Send, Skip, Start, Stop
from elsewhere.sansio.peer import State
from elsewhere.sansio.scheduler import Scheduler

GRACE = 0.25


@dataclass(eq=False)
class Call:
    """What the model knows of one call."""

    job: Job
    index: int
    last_of_add: bool = False
    place: Worker | None = None
    over: str = ""  # "", "value", "failed", "cancelled"
    failing: tuple[type[BaseException], int] | None = None  # a Failed that must come at once
    runs: int = 0
    failures: int = 0
    disturbed: bool = False  # it was dealt before, or a neighbour was taken away: chunks around it may be short


@dataclass(eq=False)
class Worker:
    """A made-up worker process."""

    key: int
    ready: bool = False
    queue: deque[Call] = field(default_factory=deque)  # not begun
    held: deque[Call] = field(default_factory=deque)  # not told to be answered
    current: Call | None = None
    started: int = 0
    told: int = 0
    since: float = 0.0
    untold: deque[tuple[BaseException | None, float]] = field(default_factory=deque)
    skips: set[int] = field(default_factory=set)
    interrupted: int = 0
    interrupted_at: float = 0.0
    interrupt_is_timeout: bool = False
    pending_interrupt: BaseException | None = None
    ever_interrupted: set[int] = field(default_factory=set)
    used: int = 0  # of its lifetime
    worn: bool = False
    retired: bool = False
    stopped: bool = False
    killed: bool = False


class Boom(Exception):
    """What a call raises."""


class Odd(Exception):
    """What a call raises that no Retry asks for."""


class Simulation:
    """Driver, workers and model.

    Args:
        size: of the pool.
        lifetime: of its workers.
        budget: of the scheduler.
    """

    def __init__(self, size: int, lifetime: int | None = None, budget: float = 2.0**-9) -> None:
        self.scheduler = Scheduler(size, lifetime=lifetime, grace=GRACE, budget=budget)
        self.now = 100.0
        self.workers: dict[int, Worker] = {}
        self.jobs: list[Job] = []
        self.calls: dict[tuple[Job, int], Call] = {}
        self.queue: deque[Call] = deque()
        self.delayed: list[tuple[float, int, Call]] = []
        self.order = 0
        self.start_failures: list[str] = []
        self.last_stroke = 0
        self.broken: WorkerStartError | None = None
        self.terminated_at = inf
        self.starts = 0
        self.retried = 0
        self.lost = 0
        self.race = 0  # calls a worker answers between the look at its page and the look at its words
        self.scheduler.open()
        self.drain()

    # ---- what users want -----------------------------------------------------------------------------------------

    def job(self, timeout: float | None = None, retry: Retry | None = None, chunk: int | None = None) -> Job:
        self.jobs.append(Job(timeout, retry, chunk))
        return self.jobs[-1]

    def add(self, job: Job, count: int) -> None:
        lo = sum(call.job is job for call in self.calls.values())
        for index in range(lo, lo + count):
            call = self.calls[job, index] = Call(job, index, last_of_add=index == lo + count - 1)
            if self.broken is not None or self.terminated:
                self.expect_failed(call, type(self.stop_error), 0)
            else:
                self.queue.append(call)
        self.scheduler.add(job, lo, lo + count, self.now)
        self.drain()

    def cancel(self, call: Call) -> None:
        told = bool(call.over)
        if not told:
            self.take_back(call)
        assert self.scheduler.cancel(call.job, call.index, self.now) is not told
        self.drain()

    def drop(self, job: Job) -> None:
        mine = [call for call in self.calls.values() if call.job is job and not call.over]
        for call in mine:
            self.take_back(call)
        assert self.scheduler.drop(job, self.now) == len(mine)
        self.drain()

    def close(self) -> None:
        self.scheduler.close()
        self.drain()

    def terminate(self) -> None:
        if not self.terminated:
            self.terminated_at = self.now
            self.give_up_waiting(PoolClosed)
        self.scheduler.terminate(self.now)
        self.drain()

    # ---- what workers do -----------------------------------------------------------------------------------------

    def get_ready(self, worker: Worker) -> None:
        worker.ready = True
        self.start_failures.clear()
        self.scheduler.worker_ready(worker.key, self.now)
        self.drain()

    def begin(self, worker: Worker, *, deaf: bool = False) -> None:
        """Begin the next call, or skip it as asked; a deaf worker passed the place where it looks for skips."""
        call = worker.queue.popleft()
        worker.started += 1
        worker.since = self.now
        if worker.started in worker.skips and not deaf:
            worker.untold.append((Boom("skipped"), 0.0))
            return
        assert not [w for w in self.workers.values() if w.current is call]
        worker.current = call
        call.runs += 1
        assert call.over or call.runs <= 1 + (call.job.retry.retries if call.job.retry else 0)

    def answer(self, worker: Worker, error: BaseException | None = None) -> None:
        worker.untold.append((error, self.now - worker.since))
        worker.current = worker.pending_interrupt = None

    def tell(self, worker: Worker) -> None:
        """All that the worker has answered reaches the scheduler."""
        while worker.untold:
            values, seconds = 0, 0.0
            while worker.untold and worker.untold[0][0] is None:
                values += 1
                seconds += worker.untold.popleft()[1]
            if values:
                self.tell_values(worker, values, seconds)
            else:
                self.tell_failure(worker, *worker.untold.popleft())

    def tell_values(self, worker: Worker, count: int, seconds: float) -> None:
        wanted: list[tuple[Job | None, int]] = []
        for _ in range(count):
            call = self.leave(worker)
            wanted.append((None if call.over else call.job, call.index))
            if not call.over:
                call.over = "value"
        self.start_failures.clear()  # a worker that answers proves that workers start
        spans = self.scheduler.finished(worker.key, count, seconds, self.now)
        assert all(lo < hi for _, lo, hi in spans)
        assert [(job, index) for job, lo, hi in spans for index in range(lo, hi)] == wanted
        for job, index in wanted:
            if job is not None:  # as `CallJob.attempts` does
                assert job.failures.pop(index, 0) == self.calls[job, index].failures

    def tell_failure(self, worker: Worker, error: BaseException | None, seconds: float) -> None:
        assert error is not None
        timed_out = worker.interrupted == worker.told + 1 and worker.interrupt_is_timeout
        call = self.leave(worker)
        self.fault(call, CallTimeout() if timed_out else error)
        self.start_failures.clear()
        self.scheduler.failed(worker.key, error, seconds, self.now)

    def wear(self, worker: Worker) -> None:
        """It has grown too large and says so, between two calls or in one of several threads."""
        worker.worn = True
        self.scheduler.worn(worker.key)
        self.drain()

    def leave(self, worker: Worker) -> Call:
        call = worker.held.popleft()
        call.place = None
        worker.told += 1
        if worker.told == worker.interrupted:
            worker.interrupted = 0
        return call

    def die(self, worker: Worker, reason: str = "died", *, killed: bool = False) -> None:
        """It ends, in order or not; what it answered is told first."""
        self.tell(worker)
        pending = list(self.scheduler.actions)
        for action in pending:  # what the answers brought is not carried out before the death is told
            self.perform(action)
        del self.workers[worker.key]
        expected = worker.retired or self.terminated
        if worker.held and worker.started > worker.told:
            timed_out = worker.interrupted == worker.started and worker.interrupt_is_timeout
            self.fault(self.leave(worker), CallTimeout() if timed_out else WorkerLost())
        back = [call for call in worker.held if not call.over]
        for call in worker.held:
            call.place = None
            call.disturbed = True
        if self.broken is not None or self.terminated:
            for call in back:
                self.expect_failed(call, type(self.stop_error), call.failures)
        else:
            self.queue.extendleft(reversed(back))
        self.lost += not expected
        error: ElsewhereError = WorkerLost(reason)
        if not worker.ready and not expected:
            error = WorkerStartError(reason)
            self.start_failed(worker, reason, killed)
        before = self.scheduler.broken
        self.scheduler.lost(worker.key, worker.started, error, self.now, killed=killed)
        assert before is None or self.scheduler.broken is before
        for action in pending:
            if isinstance(action, Failed) or action.worker != worker.key:
                assert self.scheduler.actions.popleft() is action
        self.drain()

    def start_failed(self, worker: Worker, reason: str, killed: bool) -> None:
        if self.broken is not None or (killed and worker.key <= self.last_stroke):
            return
        if killed:
            self.last_stroke = max([worker.key, *self.workers])
        self.start_failures.append(reason)
        most = 5 if killed else 3
        alike = self.start_failures[-most:]
        if len(self.start_failures) >= 10 or (len(alike) == most and len(set(alike)) == 1):
            self.broken = WorkerStartError(reason)
            self.give_up_waiting(WorkerStartError)

    # ---- the model -----------------------------------------------------------------------------------------------

    @property
    def terminated(self) -> bool:
        return self.terminated_at < inf

    @property
    def stop_error(self) -> ElsewhereError:
        return self.broken or PoolClosed()

    def expect_failed(self, call: Call, kind: type[BaseException], attempts: int) -> None:
        assert not call.over
        call.over = "failed"
        call.failing = (kind, attempts)

    def take_back(self, call: Call) -> None:
        call.over = "cancelled"
        for (_, index), other in self.calls.items():
            if other.job is call.job and abs(index - call.index) <= 1:
                other.disturbed = True
        if call in self.queue:
            self.queue.remove(call)
        self.delayed = [entry for entry in self.delayed if entry[2] is not call]

    def give_up_waiting(self, kind: type[BaseException]) -> None:
        for call in [*self.queue, *(entry[2] for entry in self.delayed)]:
            self.expect_failed(call, kind, call.failures)
        self.queue.clear()
        self.delayed.clear()

    def fault(self, call: Call, error: BaseException) -> None:
        """A run of a call failed, and its worker is free of it."""
        if call.over:
            return
        if self.wants_again(call, error) and not self.terminated and self.broken is None:
            call.failures += 1
            call.disturbed = True
            self.retried += 1
            assert call.job.retry is not None
            if delay := call.job.retry.delay(call.failures):
                self.delayed.append((self.now + delay, self.order, call))
                self.order += 1
            else:
                self.queue.append(call)
        else:
            self.expect_failed(call, type(error), call.failures + 1)

    @staticmethod
    def wants_again(call: Call, error: BaseException) -> bool:
        return call.job.retry is not None and call.job.retry.wants(error, call.failures + 1)

    # ---- the driver ----------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Carry out everything, tick when that is due, and look whether all is as it must be."""
        while True:
            while self.scheduler.actions:
                self.perform(self.scheduler.actions.popleft())
            at = self.scheduler.next_timer()
            if at is None or at > self.now:
                break
            self.delayed.sort(key=lambda entry: entry[:2])
            while self.delayed and self.delayed[0][0] <= self.now:
                self.queue.append(self.delayed.pop(0)[2])
            self.scheduler.tick(self.now)
            after = self.scheduler.next_timer()
            assert after is None or after > self.now or self.scheduler.actions, "a busy loop"
        self.check()

    def advance(self, seconds: float, *, lag: bool = False) -> None:
        """Time passes; with `lag`, what workers have answered is told only after it."""
        for worker in list(self.workers.values()):
            if not lag:
                self.tell(worker)
        self.drain()
        self.now += seconds
        self.drain()

    def perform(self, action: object) -> None:
        if isinstance(action, Failed):
            call = self.calls[action.job, action.index]
            assert call.failing == (type(action.error), action.attempts), (call, action)
            call.failing = None
            return
        if isinstance(action, Start):
            assert action.worker not in self.workers
            assert not self.terminated
            assert self.broken is None
            self.starts += 1
            self.workers[action.worker] = Worker(action.worker)
            return
        worker = self.workers[action.worker]  # type: ignore[attr-defined]  # all others have it
        if isinstance(action, Send):
            self.send(worker, action)
        elif isinstance(action, Skip):
            for ordinal in range(action.first, action.last + 1):
                assert worker.held[ordinal - worker.told - 1].over == "cancelled"
                worker.skips.add(ordinal)
        elif isinstance(action, Observe):
            self.observe(worker)
        elif isinstance(action, Interrupt):
            self.interrupt(worker, action)
        elif isinstance(action, Retire):
            assert not worker.held
            assert worker.ready
            assert not worker.retired
            worker.retired = True
        elif isinstance(action, Stop):
            assert self.terminated
            worker.stopped = True
        else:
            assert isinstance(action, Kill)
            interrupted = worker.interrupted and self.now >= worker.interrupted_at + GRACE
            assert interrupted or self.now >= self.terminated_at + GRACE, "killed too early"
            assert not worker.killed
            worker.killed = True

    def send(self, worker: Worker, action: Send) -> None:
        job, lo, hi = action.job, action.lo, action.hi
        count = hi - lo
        assert count > 0
        assert worker.ready
        assert not worker.retired
        assert not worker.killed
        assert not worker.worn, "worn out, and dealt more"
        assert not self.terminated
        calls = [self.queue.popleft() for _ in range(count)]
        assert calls == [self.calls[job, index] for index in range(lo, hi)], "not the front of the queue"
        assert not any(call.over or call.place for call in calls)
        before = len(worker.held)
        load = sum(inf if call.job.seconds is None else call.job.seconds for call in worker.held)
        if job.chunk is not None:
            worker.used += 1
            end = calls[-1]
            follower = self.calls.get((job, hi))
            cut = end.last_of_add or follower is None or follower.place is not None
            disturbed = any(call.disturbed for call in [*calls, *([follower] if follower else [])])
            assert count == job.chunk or (count < job.chunk and (cut or disturbed)), "chunk"
            assert before <= job.chunk
        else:
            worker.used += count
            if job.seconds is None:
                assert count == 1
                assert before == 0, "dealt before it was measured"
            elif before or count > 1:
                assert before + count <= min(MOST, job.answered), "credit"
                assert load + (count - 1) * job.seconds < self.scheduler.budget, "more than the budget"
        assert self.scheduler.lifetime is None or worker.used <= self.scheduler.lifetime
        for call in calls:
            call.place = worker
            worker.held.append(call)
            worker.queue.append(call)

    def observe(self, worker: Worker) -> None:
        self.tell(worker)
        race, self.race = self.race, 0
        for _ in range(race):  # it goes on between the two looks
            if worker.current is not None:
                self.answer(worker)
            if worker.queue:
                self.begin(worker, deaf=True)
        self.scheduler.observed(worker.key, worker.started, worker.since, self.now)

    def interrupt(self, worker: Worker, action: Interrupt) -> None:
        ordinal = action.ordinal
        assert worker.told < ordinal <= worker.started, "not begun"
        assert ordinal not in worker.ever_interrupted
        call = worker.held[ordinal - worker.told - 1]
        if action.cancelled:
            assert call.over == "cancelled", "an innocent call is interrupted"
        else:
            assert not call.over
            assert call.job.timeout is not None
            assert self.now >= worker.since + call.job.timeout, "too early"
            if not self.wants_again(call, CallTimeout()):
                self.expect_failed(call, CallTimeout, call.failures + 1)
        worker.ever_interrupted.add(ordinal)
        worker.interrupted, worker.interrupted_at = ordinal, self.now
        worker.interrupt_is_timeout = not action.cancelled
        if worker.current is call:
            worker.pending_interrupt = CallCancelled() if action.cancelled else CallTimeout()

    # ---- what must hold after every step -------------------------------------------------------------------------

    def check(self) -> None:
        scheduler = self.scheduler
        assert scheduler.unfinished == sum(not call.over for call in self.calls.values())
        assert scheduler.retried == self.retried
        assert scheduler.lost_workers == self.lost
        assert (scheduler.broken is None) == (self.broken is None)
        assert not any(call.failing for call in self.calls.values()), "a Failed is missing"
        assert set(scheduler.peers) == set(self.workers)
        here = [worker for worker in self.workers.values() if not worker.retired]
        assert len(here) <= scheduler.size
        if not scheduler.closing and self.broken is None:
            assert len(here) == scheduler.size
        elif not self.terminated and self.broken is None:
            assert len(here) >= min(scheduler.size, scheduler.unfinished)
        for worker in self.workers.values():
            self.check_worker(worker)

    def check_worker(self, worker: Worker) -> None:
        peer = self.scheduler.peers[worker.key]
        assert [(c.job, c.index) for c in worker.held] == [(r.job, i) for r in peer.held for i in range(r.lo, r.hi)]
        assert peer.outstanding == len(worker.held)
        assert peer.done == worker.told
        assert (peer.state is State.LEAVING) == (worker.retired and not worker.killed)
        idle = worker.ready and not worker.held and not worker.retired and not worker.killed
        assert not (idle and self.queue), "a worker is idle although calls wait"
        assert not (idle and (worker.worn or self.scheduler.lifetime == worker.used)), "worn out and not replaced"
        if idle and self.scheduler.closing and not self.terminated:
            assert self.scheduler.unfinished, "not told to leave"
        if worker.killed:
            return
        assert self.now < self.terminated_at + GRACE, "not killed"
        assert not worker.interrupted or self.now < worker.interrupted_at + GRACE, "not killed"
        call = worker.current
        if call is None or worker.untold or worker.started in worker.ever_interrupted or call.job.timeout is None:
            return
        assert self.now < worker.since + call.job.timeout, "past its deadline"

    # ---- the end -------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Run until nothing happens any more. A call that hangs ends by itself only if nobody is to end it."""
        for _ in range(10_000):
            moved = [self.go_on(worker) for worker in list(self.workers.values())]
            if not any(moved):
                at = self.scheduler.next_timer()
                if at is None:
                    break
                self.now = max(self.now, at)
                self.drain()
        else:
            raise AssertionError("it never comes to rest")

    def go_on(self, worker: Worker) -> bool:
        if worker.key not in self.workers:
            return False
        if worker.killed or worker.stopped or (worker.retired and not worker.held):
            self.die(worker)
        elif not worker.ready:
            self.get_ready(worker)
        elif worker.untold:
            self.tell(worker)
            self.drain()
        elif worker.current is not None and worker.current.over:
            return False  # it hangs until it is killed
        elif worker.current is not None:
            self.answer(worker, worker.pending_interrupt)
        elif worker.queue:
            self.begin(worker)
        else:
            return False
        return True

    def finish(self) -> None:
        """Everything comes to an end, each call with one outcome, and nothing is kept."""
        self.settle()
        assert all(call.over for call in self.calls.values()), "a call without an outcome"
        self.close()
        self.settle()
        assert not self.scheduler.peers
        assert not self.scheduler.unfinished
        assert self.scheduler.next_timer() is None
        assert not self.scheduler._ready
        assert not self.scheduler._delayed
        assert not self.scheduler._timed
        for job in self.jobs:
            assert not job.settled
            assert not job.failures

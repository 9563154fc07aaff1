"""What must happen: the queue call by call, each failure with its attempts, each value with who wants it.

Rule: knows the promises, not the scheduler's ways. It reads each action in the moment it was decided (`note`), not when
it is carried out: what a driver does late is not the decision's fault.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from math import inf

from elsewhere.call import Retry
from elsewhere.errors import CallTimeout, ElsewhereError, PoolClosed, WorkerStartError
from elsewhere.sansio.scheduling.credits import GROWTH, MOST
from elsewhere.sansio.scheduling.jobs import (
    Failed,
    Interrupt,
    Job,
    Kill,
    Recall,
    Retire,
    Send,
    Skip,
    Start,
    Stop,
    Withdraw,
)
from elsewhere.sansio.scheduling.peer import State
from elsewhere.sansio.scheduling.scheduler import FENCE, PATIENCE, STRANDED, Scheduler
from tests.sansio.worker import UNSEEN, Call, Worker

__all__ = ["GRACE", "Model"]

GRACE = 0.25
SAME_START_FAILURES, SAME_STROKES, START_FAILURES = 3, 5, 10  # in a row, after which a pool is broken
ROUNDING = 1e-9  # seconds; PATIENCE and FENCE are no sums of powers of 2


class Model:
    """The users' calls, and what is known of the workers.

    Args:
        scheduler: what is tested.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.now = 100.0
        self.workers: dict[int, Worker] = {}
        self.jobs: list[Job] = []
        self.calls: dict[tuple[Job, int], Call] = {}
        self.queue: deque[Call] = deque()
        self.delayed: list[tuple[float, int, Call]] = []
        self.order = 0
        self.start_failures: list[str] = []
        self.broken: ElsewhereError | None = None
        self.size = scheduler.size
        self.resizing = False
        self.far = False  # nobody can look which call a worker is in: it is taken to be in the first that it holds
        self.terminated_at = inf
        self.starts = self.retried = self.lost = 0
        self.noted = 0  # actions at the front of the scheduler's that are read already

    @property
    def terminated(self) -> bool:
        return self.terminated_at < inf

    @property
    def stop_error(self) -> ElsewhereError:
        return self.broken or PoolClosed()

    # ---- calls ---------------------------------------------------------------------------------------------------

    def job(self, timeout: float | None = None, retry: Retry | None = None, chunk: int | None = None) -> Job:
        self.jobs.append(Job(timeout, retry, chunk))
        return self.jobs[-1]

    def expect_failed(self, call: Call, kind: type[BaseException], attempts: int) -> None:
        assert not call.over
        call.over = "failed"
        call.failing = (kind, attempts)

    def forget(self, call: Call) -> None:
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

    def give_back(self, calls: list[Call]) -> None:
        """A worker has not begun these and will not: they go to the front of the queue."""
        for call in calls:
            call.place = None
            call.disturbed = True
        wanted = [call for call in calls if not call.over]
        if self.broken is not None or self.terminated:
            for call in wanted:
                self.expect_failed(call, type(self.stop_error), call.failures)
        else:
            self.queue.extendleft(reversed(wanted))

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

    def leave(self, worker: Worker) -> Call:
        """The first call the worker holds is over for it."""
        call = worker.held.popleft()
        call.place = None
        worker.told += 1
        worker.told_at = self.now
        if worker.told == worker.interrupted:
            worker.interrupted = 0
        return call

    def start_failed(self, worker: Worker, reason: str, killed: bool) -> None:
        """It ended before it was ready. One stroke kills all that are starting, however late that is told of each."""
        if self.broken is not None or (killed and worker.struck):
            return
        if killed:
            for other in self.workers.values():
                other.struck = True
        self.start_failures.append(reason)
        alike = self.start_failures[-(SAME_STROKES if killed else SAME_START_FAILURES) :]
        full = len(alike) == (SAME_STROKES if killed else SAME_START_FAILURES)
        if len(self.start_failures) >= START_FAILURES or (full and len(set(alike)) == 1):
            self.broken = WorkerStartError(reason)
            self.give_up_waiting(WorkerStartError)

    def resized(self, named: list[int]) -> None:
        """There are to be `size` workers now: who goes, the scheduler has chosen, and must have had reason to."""
        before = {key for key, worker in self.workers.items() if worker.dismissed}
        chosen = {key for key, peer in self.scheduler.peers.items() if peer.dismissed}
        assert not (chosen - before and before - chosen), "dismissed and kept at once"
        for key in chosen | before:
            self.workers[key].dismissed = key in chosen
        self.resizing = True
        self.note()
        self.resizing = False
        stay = [worker for worker in self.workers.values() if not (worker.retired or worker.dismissed)]
        later = [self.workers[key] for key in chosen - before]
        assert all(worker.held or worker.killed for worker in later), "told to leave later, and could at once"
        if any(worker.key not in named for worker in later):
            assert not any(worker.key in named for worker in stay), "another was to leave first"
        if any(worker.key not in named and not worker.killed for worker in later):
            assert all(worker.held for worker in stay), "one that works leaves, one that does not stays"

    # ---- decisions -----------------------------------------------------------------------------------------------

    def note(self) -> None:
        """Read what the scheduler has decided since the last time; called after each event."""
        fresh = list(islice(self.scheduler.actions, self.noted, None))
        self.noted += len(fresh)
        held = {key: len(worker.held) for key, worker in self.workers.items()}
        for action in fresh:
            if isinstance(action, Failed):
                call = self.calls[action.job, action.index]
                assert call.failing == (type(action.error), action.attempts), (call, action)
                call.failing = None
            elif isinstance(action, Start):
                self.note_start(action.worker)
            else:
                self.note_order(self.workers[action.worker], action)
        self.check_shares([action for action in fresh if isinstance(action, Send)], held)

    def note_start(self, key: int) -> None:
        assert key not in self.workers
        assert not self.terminated
        assert self.broken is None
        self.starts += 1
        self.workers[key] = Worker(key)

    def note_order(self, worker: Worker, action: object) -> None:
        if isinstance(action, Send):
            self.note_send(worker, action)
        elif isinstance(action, Skip):
            for ordinal in range(action.first, action.last + 1):
                assert worker.held[ordinal - worker.told - 1].over == "cancelled"
        elif isinstance(action, Recall):
            self.note_recall(worker)
        elif isinstance(action, Withdraw):
            self.note_withdraw(worker, action.first)
        elif isinstance(action, Interrupt):
            self.note_interrupt(worker, action)
        elif isinstance(action, Retire):
            assert not worker.held
            assert worker.ready or self.resizing
            assert not worker.retired
            worker.retired, worker.dismissed = True, False
        elif isinstance(action, Stop):
            assert self.terminated
        elif isinstance(action, Kill):
            interrupted = worker.interrupted and self.now >= worker.interrupted_at + GRACE
            assert interrupted or self.now >= self.terminated_at + GRACE, "killed too early"
            assert not worker.killed
            worker.killed = True

    def note_send(self, worker: Worker, action: Send) -> None:
        job, lo, hi = action.job, action.lo, action.hi
        count = hi - lo
        assert count > 0
        assert worker.ready
        assert not worker.retired
        assert not worker.killed
        assert not worker.worn, "worn, and handed more"
        assert not worker.dismissed, "one too many, and handed more"
        assert not worker.recalled, "it has not said that it has dropped what was withdrawn"
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
                assert before + count <= min(MOST, GROWTH * job.answered), "credit"
                budget = self.scheduler.budget * job.heap
                assert load + (count - 1) * job.seconds < budget + ROUNDING, "more than the budget"
        assert self.scheduler.lifetime is None or worker.used <= self.scheduler.lifetime
        worker.fed = self.now
        for call in calls:
            call.place = worker
            worker.held.append(call)

    def check_shares(self, sends: list[Send], before: dict[int, int]) -> None:
        """Nobody is handed a second call, or chunk, while a worker that could have it has nothing to do."""
        if not any(worker.idle for worker in self.workers.values()):
            return
        for key in {send.worker for send in sends}:
            mine = [send for send in sends if send.worker == key]
            units = [1 if send.job.chunk is not None else send.hi - send.lo for send in mine]
            assert not before[key], "handed more while another has nothing"
            assert sum(units) == 1, "handed several while another has nothing"

    def note_recall(self, worker: Worker) -> None:
        assert not worker.recalled
        assert self.scheduler.budget
        assert not self.terminated
        assert self.broken is None, "what is taken back now nobody can have"
        assert not self.queue
        assert any(other.free for other in self.workers.values() if other is not worker), "for nobody"
        started, since = worker.seen
        waiting = len(worker.held) - max(0, started - worker.told)
        assert waiting > 0, "nothing to take back"
        busy_since = since if started > worker.told else max(since, worker.fed)
        stranded = waiting * (worker.held[-1].job.seconds or 0.0) > STRANDED
        assert stranded or self.now >= busy_since + PATIENCE - ROUNDING, "recalled too early"
        worker.asked += 1

    def note_withdraw(self, worker: Worker, first: int) -> None:
        assert worker.asked == worker.withdrawn + 1
        worker.withdrawn += 1
        if worker.interrupted >= first:
            worker.interrupted = 0
        worker.ever_interrupted = {ordinal for ordinal in worker.ever_interrupted if ordinal < first}
        assert first == max(worker.seen[0], worker.told) + 1
        assert first > worker.begun, "it has begun what is withdrawn"
        back = [worker.held.pop() for _ in range(len(worker.held) - (first - worker.told - 1))][::-1]
        worker.used -= sum(call.job.chunk is None for call in back)
        self.give_back(back)

    def note_interrupt(self, worker: Worker, action: Interrupt) -> None:
        ordinal = action.ordinal
        assert worker.told < ordinal <= max(worker.started, worker.told + self.far), "not begun"
        assert ordinal not in worker.ever_interrupted
        call = worker.held[ordinal - worker.told - 1]
        if action.cancelled:
            assert call.over == "cancelled", "an innocent call is interrupted"
        else:
            assert not call.over
            assert call.job.timeout is not None
            assert worker.seen[0] == ordinal
            assert self.now >= worker.seen[1] + call.job.timeout, "too early"
            if not self.wants_again(call, CallTimeout()):
                self.expect_failed(call, CallTimeout, call.failures + 1)
        worker.ever_interrupted.add(ordinal)
        worker.excused = worker.started  # if it is in the next one already: that is not looked at before this is told
        worker.interrupted, worker.interrupted_at = ordinal, self.now
        worker.interrupt_is_timeout = not action.cancelled

    # ---- what must hold after every step -------------------------------------------------------------------------

    def check(self) -> None:
        scheduler = self.scheduler
        assert scheduler.unfinished == sum(not call.over for call in self.calls.values())
        assert scheduler.retried == self.retried
        assert scheduler.lost_workers == self.lost
        assert (scheduler.broken is None) == (self.broken is None)
        assert not any(call.failing for call in self.calls.values()), "a Failed is missing"
        assert set(scheduler.peers) == set(self.workers)
        assert scheduler.size == self.size
        here = [worker for worker in self.workers.values() if not (worker.retired or worker.dismissed)]
        assert len(here) <= self.size or self.terminated or self.broken is not None
        if not scheduler.closing and self.broken is None:
            assert len(here) == self.size
        elif not self.terminated and self.broken is None:
            assert len(here) >= min(self.size, scheduler.unfinished)
        for job in self.jobs:
            runs = [(run, peer) for peer in scheduler.peers.values() for run in peer.held if run.job is job]
            assert job.held == {run.lo: peer for run, peer in runs}
            assert all(run.hi - run.lo <= job.longest for run, _ in runs)
        for worker in self.workers.values():
            self.check_worker(worker)
            self.check_promptness(worker)

    def check_worker(self, worker: Worker) -> None:
        peer = self.scheduler.peers[worker.key]
        assert [(c.job, c.index) for c in worker.held] == [(r.job, i) for r in peer.held for i in range(r.lo, r.hi)]
        assert peer.outstanding == len(worker.held)
        assert peer.done == worker.told
        if worker.worn:
            assert peer.left == 0, "worn, and may be handed more"
        else:
            assert peer.left == (None if self.scheduler.lifetime is None else self.scheduler.lifetime - worker.used)
        assert (peer.state is State.LEAVING) == (worker.retired and not worker.killed)
        assert not (worker.idle and self.queue), "a worker is idle although calls wait"
        worn_out = worker.worn or self.scheduler.lifetime == worker.used
        assert not (worker.idle and worn_out), "worn out and not replaced"
        assert not (worker.idle and worker.dismissed), "one too many and not told to leave"
        if worker.idle and self.scheduler.closing and not self.terminated:
            assert self.scheduler.unfinished, "not told to leave"
        if worker.killed:
            return
        assert self.now < self.terminated_at + GRACE, "not killed"
        assert not worker.interrupted or self.now < worker.interrupted_at + GRACE, "not killed"
        call = worker.current
        if call is None or worker.untold or worker.started == worker.excused or call.job.timeout is None:
            return
        if self.far:  # its deadline is counted from the last answer, whenever that was told
            return
        unseen = UNSEEN if worker.seen_from > -inf else 0.0
        assert self.now < worker.since + call.job.timeout + unseen, "past its deadline"

    def check_promptness(self, worker: Worker) -> None:
        """Nothing waits behind a long call while another worker has nothing to do."""
        waiting = len(worker.held) - (worker.started - worker.told)
        stuck = (
            worker.current is not None
            and waiting > 0
            and not (worker.killed or self.queue or self.terminated or self.broken or not self.scheduler.budget)
            and any(other.idle for other in self.workers.values() if other is not worker)
        )
        if not stuck or worker.stuck_in != worker.started:
            worker.stuck_since = self.now if stuck else inf
            worker.stuck_in = worker.started
        late = self.now - worker.stuck_since
        assert worker.recalled or late < PATIENCE + FENCE + ROUNDING, "calls wait behind a long one"
        if worker.asked > worker.withdrawn and not worker.killed:
            assert self.now < worker.recalled_at + FENCE + ROUNDING, "recalled and never withdrawn"

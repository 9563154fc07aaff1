"""A scheduler between a made-up driver and made-up workers, compared with a model that knows what must happen.

Rule: no process, no thread, no sleep; time is a number that a test moves. What workers have done is told later
(`tell`), in the order it was done, as the page and the socket do it; what they are told lies in their inbox until they
read it.
"""

from __future__ import annotations

from elsewhere.errors import CallCancelled, CallTimeout, ElsewhereError, PoolClosed, WorkerLost, WorkerStartError
from elsewhere.sansio.scheduling.jobs import Failed, Interrupt, Job, Observe, Recall, Send, Skip, Start, Stop, Withdraw
from elsewhere.sansio.scheduling.scheduler import Scheduler
from tests.sansio.model import GRACE, Model
from tests.sansio.worker import Boom, Call, Frame, Odd, Worker

__all__ = ["GRACE", "Boom", "Call", "Odd", "Simulation", "Worker"]


class Simulation(Model):
    """Driver and workers.

    Args:
        size: of the pool.
        lifetime: of its workers.
        budget: of the scheduler.
        far: do workers have no memory that can be looked into?
    """

    def __init__(self, size: int, lifetime: int | None = None, budget: float = 2.0**-9, *, far: bool = False) -> None:
        super().__init__(Scheduler(size, lifetime=lifetime, grace=GRACE, budget=budget))
        self.far = far
        self.race = 0  # steps a worker makes between the look at its answers and the look at its words
        self.slip = 0  # steps a worker makes between the decision to recall and the word on its page
        self.pause = 0.0  # seconds that pass there: somebody else has the processor
        self.scheduler.open()
        self.drain()

    # ---- what users want -----------------------------------------------------------------------------------------

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
            self.forget(call)
        assert self.scheduler.cancel(call.job, call.index, self.now) is not told
        self.drain()

    def drop(self, job: Job) -> None:
        mine = [call for call in self.calls.values() if call.job is job and not call.over]
        for call in mine:
            self.forget(call)
        assert self.scheduler.drop(job, self.now) == len(mine)
        self.drain()

    def close(self) -> None:
        self.scheduler.close()
        self.drain()

    def resize(self, size: int, picks: list[int]) -> None:
        named = [key for at, key in enumerate(self.workers) if at in picks]
        self.size = size
        self.scheduler.resize(size, self.now, first=named)
        self.resized(named)
        self.drain()

    def break_(self, error: ElsewhereError) -> None:
        before = self.scheduler.broken
        if self.broken is None:
            self.broken = error
            self.give_up_waiting(type(error))
        self.scheduler.break_(error)
        assert self.scheduler.broken is (before or error)
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

    def begin(self, worker: Worker) -> None:
        """Claim the next call and look, in one go."""
        worker.claim(self.now)
        worker.look(self.now)

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
        self.note()
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
        self.note()

    def tell_released(self, worker: Worker) -> None:
        """Its word that it has dropped what was withdrawn reaches the scheduler."""
        if worker.unacknowledged:
            assert worker.unacknowledged == 1
            worker.unacknowledged = 0
            worker.released += 1
            self.start_failures.clear()
            self.scheduler.released(worker.key, self.now)
            self.drain()

    def wear(self, worker: Worker) -> None:
        """It takes more memory than it may, and says so: between two calls, or in one of several threads."""
        worker.worn = True
        self.scheduler.worn(worker.key)
        self.drain()

    def die(self, worker: Worker, reason: str = "died", *, killed: bool = False) -> None:
        """It ends, in order or not; what it answered is told first."""
        self.tell(worker)
        pending = [
            action for action in self.scheduler.actions if isinstance(action, Failed) or action.worker != worker.key
        ]
        del self.workers[worker.key]
        expected = worker.retired or self.terminated
        guilty = worker.current or worker.claimed
        if guilty is not None and guilty.place is worker:
            assert guilty is worker.held[0]
            timed_out = worker.interrupted == worker.started and worker.interrupt_is_timeout
            self.fault(self.leave(worker), CallTimeout() if timed_out else WorkerLost())
        self.give_back(list(worker.held))
        self.lost += not expected
        error: ElsewhereError = WorkerLost(reason)
        if not worker.ready and not expected:
            error = WorkerStartError(reason)
            self.start_failed(worker, reason, killed)
        before = self.scheduler.broken
        self.scheduler.lost(worker.key, worker.started, error, self.now, killed=killed)
        assert before is None or self.scheduler.broken is before
        assert list(self.scheduler.actions)[: len(pending)] == pending, "what was decided before is carried out first"
        self.noted = len(pending)
        self.drain()

    # ---- the driver ----------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Carry out everything, tick when that is due, and look whether all is as it must be."""
        self.note()
        for _ in range(1000):
            while self.scheduler.actions:
                self.noted -= 1
                self.perform(self.scheduler.actions.popleft())
                self.note()
            at = self.scheduler.next_timer()
            if at is None or at > self.now:
                break
            self.delayed.sort(key=lambda entry: entry[:2])
            while self.delayed and self.delayed[0][0] <= self.now:
                self.queue.append(self.delayed.pop(0)[2])
            self.scheduler.tick(self.now)
            self.note()
        else:
            raise AssertionError("a busy loop")
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
        if isinstance(action, Failed | Start):
            return
        worker = self.workers[action.worker]  # type: ignore[attr-defined]  # all others have it
        if isinstance(action, Send):
            calls = tuple(self.calls[action.job, index] for index in range(action.lo, action.hi))
            worker.inbox.append(Frame(calls=calls))
        elif isinstance(action, Skip):
            worker.inbox.append(Frame(skip=(action.first, action.last)))
        elif isinstance(action, Withdraw):
            worker.inbox.append(Frame(withdraw=action.first))
        elif isinstance(action, Recall):
            self.recall(worker)
        elif isinstance(action, Observe):
            self.observe(worker)
        elif isinstance(action, Interrupt):
            if worker.current is not None and worker.started == action.ordinal:
                worker.pending_interrupt = CallCancelled() if action.cancelled else CallTimeout()
        elif isinstance(action, Stop):
            worker.stopped = True

    def observe(self, worker: Worker) -> None:
        self.tell(worker)
        race, self.race = self.race, 0
        for _ in range(race):  # it goes on between the two looks
            worker.step(self.now, late=True)
        worker.seen = worker.visible(self.now)
        if self.far and worker.asked == worker.withdrawn:
            worker.seen = worker.told + bool(worker.held), max(worker.told_at, worker.fed)
        self.scheduler.observed(worker.key, *worker.seen, self.now)

    def recall(self, worker: Worker) -> None:
        self.now, self.pause = self.now + self.pause, 0.0
        slip, self.slip = self.slip, 0
        for _ in range(slip):  # it goes on before it can see the word
            worker.step(self.now, late=True)
        worker.recalls += 1
        worker.recalled_at = self.now
        self.scheduler.recalled(worker.key, self.now)

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
        if worker.killed or worker.stopped or (worker.retired and not worker.held and not worker.inbox):
            self.die(worker)
        elif not worker.ready:
            self.get_ready(worker)
        elif worker.untold:
            self.tell(worker)
            self.drain()
        elif worker.unacknowledged:
            self.tell_released(worker)
        elif worker.inbox and worker.current is None:
            worker.read()
        elif worker.current is not None and worker.current.over:
            return False  # it hangs until it is killed
        elif worker.current is not None:
            worker.answer(self.now, worker.pending_interrupt)
        else:
            return worker.step(self.now)
        return True

    def finish(self) -> None:
        """Everything comes to an end, each call with one outcome, and nothing is kept."""
        self.race = self.slip = 0
        self.pause = 0.0
        if not self.size:
            self.resize(1, [])
        self.settle()
        assert all(call.over for call in self.calls.values()), "a call without an outcome"
        self.close()
        self.settle()
        assert not self.scheduler.peers
        assert not self.scheduler.unfinished
        assert self.scheduler.next_timer() is None
        assert not self.scheduler._ready
        assert not self.scheduler._delayed
        assert not self.scheduler._timers
        for job in self.jobs:
            assert not job.settled
            assert not job.held
            assert not job.failures

"""The scheduler under every interleaving that Hypothesis finds: see `simulation` for what must hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from elsewhere.call import Retry
from elsewhere.errors import CallTimeout, ConnectionLost, WorkerLost
from elsewhere.sansio.scheduling.credits import measure
from elsewhere.sansio.scheduling.scheduler import FENCE, PATIENCE
from tests.sansio.simulation import Boom, Call, Odd, Simulation, Worker
from tests.sansio.worker import UNSEEN

# Sums of these are exact, so a deadline is a moment and not a neighbourhood.
TIMEOUTS = st.sampled_from([None, None, 0.125, 0.5, 2.0])
SECONDS = st.sampled_from([0.0, 2.0**-14, 2.0**-10, 2.0**-6, 0.125, 0.25, 0.5, 4.0])
PAUSES = st.sampled_from([0.0, 0.0, 2.0**-14, FENCE, 0.25])  # between a decision and its being carried out
STEPS = st.sampled_from([0, 0, 1, 2, 3, 4])
RETRIES = st.none() | st.builds(
    Retry,
    retries=st.integers(0, 2),
    on=st.sampled_from([(Exception,), (Boom,), (CallTimeout,), (WorkerLost, CallTimeout), (Boom, WorkerLost)]),
    backoff=st.sampled_from([0.0, 0.0, 0.125, 1.0]),
)
CHUNKS = st.sampled_from([None, None, 1, 3, 8])
PICK = st.integers(0, 63)
PHASES = set(settings().phases) - {Phase.explain}


class SchedulerMachine(RuleBasedStateMachine):
    """Users, workers and time in any order."""

    sim: Simulation
    fast: bool

    @initialize(
        size=st.integers(1, 3),
        lifetime=st.sampled_from([None, None, 1, 2, 5]),
        budget=st.sampled_from([0.0, 2.0**-9, 2.0**-6]),
        ready=st.booleans(),
        fast=st.booleans(),
        far=st.booleans(),
    )
    def open(self, size: int, lifetime: int | None, budget: float, ready: bool, fast: bool, far: bool) -> None:
        self.sim = Simulation(size, lifetime, budget, far=far)
        self.fast = fast
        if ready:
            self.all_get_ready()

    # ---- users ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.sim.jobs) < 5 and (not self.sim.scheduler.closing or self.sim.terminated))
    @rule(
        timeout=TIMEOUTS,
        retry=RETRIES,
        chunk=CHUNKS,
        count=st.sampled_from([1, 2, 3, 5, 8, 30]),
        heap=st.sampled_from([1, 1, 8]),
        whole=st.booleans(),
    )
    def new_job(
        self, timeout: float | None, retry: Retry | None, chunk: int | None, count: int, heap: int, whole: bool
    ) -> None:
        job = self.sim.job(timeout, retry, chunk)
        job.heap, job.whole = heap, whole
        if self.fast:  # as if many had been answered already: workers hold several at once
            measure(job, 20, 2.0**-12)
        self.sim.add(job, count)

    @precondition(lambda self: self.sim.jobs and (not self.sim.scheduler.closing or self.sim.terminated))
    @rule(pick=PICK, count=st.integers(1, 5))
    def add_more(self, pick: int, count: int) -> None:
        self.sim.add(self.sim.jobs[pick % len(self.sim.jobs)], count)

    @precondition(lambda self: self.sim.calls)
    @rule(pick=PICK, running=st.booleans())
    def cancel(self, pick: int, running: bool) -> None:
        calls: list[Call] = list(self.sim.calls.values())
        if running:
            calls = [call for call in calls if call.place is not None] or calls
        self.sim.cancel(calls[pick % len(calls)])

    @precondition(lambda self: self.sim.jobs)
    @rule(pick=PICK, luck=st.integers(0, 4))
    def drop(self, pick: int, luck: int) -> None:
        if luck == 0:
            self.sim.drop(self.sim.jobs[pick % len(self.sim.jobs)])

    @rule(size=st.integers(0, 4), picks=st.lists(st.integers(0, 5), max_size=2), luck=st.integers(0, 1))
    def resize(self, size: int, picks: list[int], luck: int) -> None:
        if luck == 0:
            self.sim.resize(size, picks)

    @precondition(lambda self: self.sim.calls)
    @rule(luck=st.integers(0, 9))
    def break_(self, luck: int) -> None:
        if luck == 9:
            self.sim.break_(ConnectionLost("gone"))

    @precondition(lambda self: not self.sim.scheduler.closing and self.sim.calls)
    @rule(luck=st.integers(0, 4))
    def close(self, luck: int) -> None:
        if luck == 0:
            self.sim.close()

    @precondition(lambda self: self.sim.calls)
    @rule(luck=st.integers(0, 9))
    def terminate(self, luck: int) -> None:
        if luck == 0:
            self.sim.terminate()

    # ---- workers -------------------------------------------------------------------------------------------------

    def those(self, which: str) -> list[Worker]:
        fits: Callable[[Worker], object] = {
            "starting": lambda w: not w.ready,
            "ready": lambda w: w.ready,
            "waiting": lambda w: w.ready and w.current is None and w.claimed is None and (w.queue or w.inbox),
            "claimed": lambda w: w.claimed is not None and not w.parked,
            "mail": lambda w: w.ready and w.inbox,
            "dropped": lambda w: w.unacknowledged,
            "behind": lambda w: w.ready and len(w.held) > 1,
            "busy": lambda w: w.current is not None,
            "any": lambda w: True,
        }[which]
        return [worker for worker in self.sim.workers.values() if fits(worker)]

    def some(self, pick: int, which: str) -> Worker | None:
        found = self.those(which)
        return found[pick % len(found)] if found else None

    @precondition(lambda self: self.those("starting"))
    @rule(pick=PICK)
    def get_ready(self, pick: int) -> None:
        if (worker := self.some(pick, "starting")) is not None:
            self.sim.get_ready(worker)

    @precondition(lambda self: self.those("starting"))
    @rule()
    def all_get_ready(self) -> None:
        for worker in list(self.sim.workers.values()):
            if not worker.ready and worker.key in self.sim.workers:
                self.sim.get_ready(worker)

    @precondition(lambda self: self.those("starting"))
    @rule(pick=PICK, reason=st.sampled_from(["one", "one", "two"]), killed=st.booleans())
    def fail_to_start(self, pick: int, reason: str, killed: bool) -> None:
        if (worker := self.some(pick, "starting")) is not None:
            self.sim.die(worker, reason, killed=killed)

    @precondition(lambda self: self.those("starting"))
    @rule(strokes=st.integers(1, 6))
    def kill_all_that_start(self, strokes: int) -> None:
        """As the fork server's end does."""
        for _ in range(strokes):
            for worker in self.those("starting"):
                if worker.key in self.sim.workers:
                    self.sim.die(worker, "killed", killed=True)

    @precondition(lambda self: self.those("mail"))
    @rule(pick=PICK, count=st.integers(1, 3))
    def read(self, pick: int, count: int) -> None:
        worker = self.some(pick, "mail")
        while worker is not None and worker.inbox and count:
            worker.read()
            count -= 1

    @precondition(lambda self: self.those("waiting"))
    @rule(pick=PICK, late=st.booleans())
    def claim(self, pick: int, late: bool) -> None:
        worker = self.some(pick, "waiting")
        while worker is not None and worker.inbox and not worker.queue:
            worker.read()
        if worker is not None and worker.queue:
            worker.claim(self.sim.now, late=late)

    @precondition(lambda self: self.those("claimed"))
    @rule(pick=PICK, unseen=st.sampled_from([0.0, UNSEEN]))
    def look(self, pick: int, unseen: float) -> None:
        if (worker := self.some(pick, "claimed")) is not None:
            worker.look(self.sim.now, unseen)

    @precondition(lambda self: self.those("waiting"))
    @rule(pick=PICK, deaf=st.booleans())
    def begin(self, pick: int, deaf: bool) -> None:
        """Begin the next call, or skip it as asked; a deaf worker passed the place where it reads."""
        worker = self.some(pick, "waiting")
        while worker is not None and worker.inbox and not (deaf and worker.queue):
            worker.read()
        if worker is not None and worker.queue:
            self.sim.begin(worker)

    @precondition(lambda self: self.those("dropped"))
    @rule(pick=PICK, answers=st.booleans())
    def hear_released(self, pick: int, answers: bool) -> None:
        if (worker := self.some(pick, "dropped")) is not None:
            if answers:
                self.sim.tell(worker)
            self.sim.tell_released(worker)

    @precondition(lambda self: self.those("busy"))
    @rule(pick=PICK, error=st.sampled_from([None, None, Boom(), Odd()]), heed=st.booleans(), tell=st.booleans())
    def answer(self, pick: int, error: BaseException | None, heed: bool, tell: bool) -> None:
        if (worker := self.some(pick, "busy")) is not None:
            worker.answer(self.sim.now, worker.pending_interrupt or error if heed else error)
            if tell:
                self.sim.tell(worker)
                self.sim.drain()

    def work(self, worker: Worker, count: int, took: float) -> None:
        for _ in range(count):
            worker.read_all()
            if worker.current is not None or worker.claimed is not None or not worker.queue:
                break
            self.sim.begin(worker)
            if worker.current is not None:
                worker.since -= took / 16
                worker.answer(self.sim.now)
        self.sim.tell(worker)
        self.sim.drain()

    @precondition(lambda self: self.those("waiting"))
    @rule(pick=PICK, count=st.integers(1, 40), took=SECONDS)
    def work_off(self, pick: int, count: int, took: float) -> None:
        """Several calls in one go, told together."""
        if (worker := self.some(pick, "waiting")) is not None:
            self.work(worker, count, took)

    @precondition(lambda self: len(self.sim.workers) > 1 and self.those("behind"))
    @rule(pick=PICK, slip=STEPS, pause=PAUSES, begin=st.booleans(), worn=st.sampled_from([False, False, True]))
    def leave_one_behind(self, pick: int, slip: int, pause: float, begin: bool, worn: bool) -> None:
        """All others work off what there is, until somebody looks at the one that does not."""
        slow = self.some(pick, "behind")
        assert slow is not None
        if begin and slow.current is None and slow.claimed is None:
            slow.read_all()
            if slow.queue:
                self.sim.begin(slow)
        for _ in range(20):
            for worker in list(self.sim.workers.values()):
                if worker is not slow and worker.ready and worker.current is None:
                    self.work(worker, 40, 0.0)
        if worn and slow.key in self.sim.workers:
            self.sim.wear(slow)
        self.sim.slip, self.sim.pause = slip, pause
        self.sim.advance(PATIENCE)
        self.sim.slip, self.sim.pause = 0, 0.0

    @precondition(lambda self: self.those("any"))
    @rule(pick=PICK)
    def wear(self, pick: int) -> None:
        if (worker := self.some(pick, "any")) is not None:
            self.sim.wear(worker)

    @precondition(lambda self: self.those("any"))
    @rule(pick=PICK, killed=st.booleans())
    def die(self, pick: int, killed: bool) -> None:
        if (worker := self.some(pick, "any")) is not None:
            self.sim.die(worker, killed=killed)

    @precondition(lambda self: self.those("busy") or self.those("claimed"))
    @rule(pick=PICK)
    def die_in_a_call(self, pick: int) -> None:
        if (worker := self.some(pick, "busy") or self.some(pick, "claimed")) is not None:
            self.sim.die(worker)

    # ---- time ----------------------------------------------------------------------------------------------------

    @rule(seconds=SECONDS, lag=st.booleans(), race=STEPS)
    def advance(self, seconds: float, lag: bool, race: int) -> None:
        self.sim.race = race
        self.sim.advance(seconds, lag=lag)
        self.sim.race = 0

    @precondition(lambda self: self.sim.scheduler.next_timer() is not None)
    @rule(race=STEPS, slip=STEPS, pause=PAUSES)
    def wake(self, race: int, slip: int, pause: float) -> None:
        at = self.sim.scheduler.next_timer()
        if at is not None:
            self.sim.race, self.sim.slip, self.sim.pause = race, slip, pause
            self.sim.now, before = max(at, self.sim.now), self.sim.now
            self.sim.advance(0.0, lag=before < self.sim.now)
            self.sim.race = self.sim.slip = 0
            self.sim.pause = 0.0

    def teardown(self) -> None:
        if hasattr(self, "sim"):
            self.sim.finish()


# A failure is made small before it is shown, which takes its time; explaining it, too, would take minutes.
TestScheduler = pytest.mark.bound(300)(SchedulerMachine.TestCase)
TestScheduler.settings = settings(max_examples=200, stateful_step_count=50, deadline=None, phases=PHASES)

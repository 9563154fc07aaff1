"""What the stories of the scheduler begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from elsewhere.sansio.scheduling.credits import measure
from elsewhere.sansio.scheduling.jobs import Action, Failed, Job, Start
from elsewhere.sansio.scheduling.peer import State
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["GRACE", "all_at_once", "away", "failures", "known", "ready", "take"]

GRACE = 0.25


def take(scheduler: Scheduler) -> list[Action]:
    actions = list(scheduler.actions)
    scheduler.actions.clear()
    return actions


def ready(size: int = 1, **options: float | None) -> Scheduler:
    """A scheduler whose workers, 1 to `size`, have started, 1 as the last: it is the first to be handed calls."""
    scheduler = Scheduler(size, grace=GRACE, **options)  # type: ignore[arg-type]  # each of its own type
    scheduler.open()
    assert take(scheduler) == [Start(key) for key in range(1, size + 1)]
    for key in range(size, 0, -1):
        scheduler.worker_ready(key, 0.0)
    return scheduler


def known(timeout: float | None = None) -> Job:
    """A job whose calls have taken 2**-12 seconds so far."""
    job = Job(timeout)
    measure(job, 100, 2.0**-12)
    return job


@contextmanager
def away(scheduler: Scheduler, key: int) -> Iterator[None]:
    """An idle worker that is handed nothing for a while."""
    peer = scheduler.peers[key]
    del scheduler._idle[peer]
    yield
    scheduler._idle[peer] = None


def all_at_once(scheduler: Scheduler) -> None:
    """All workers are ready, though calls wait; the first is the first to be handed some."""
    for peer in reversed(scheduler.peers.values()):
        peer.state = State.READY
        scheduler._idle[peer] = None


def failures(actions: list[Action]) -> list[tuple[int, type[BaseException], int]]:
    return [(a.index, type(a.error), a.attempts) for a in actions if isinstance(a, Failed)]

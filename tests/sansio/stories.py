"""What the stories of the scheduler begin with."""

from __future__ import annotations

from elsewhere.sansio.scheduling.credits import measure
from elsewhere.sansio.scheduling.jobs import Action, Failed, Job, Start
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["GRACE", "failures", "known", "ready", "take"]

GRACE = 0.25


def take(scheduler: Scheduler) -> list[Action]:
    actions = list(scheduler.actions)
    scheduler.actions.clear()
    return actions


def ready(size: int = 1, **options: float | None) -> Scheduler:
    """A scheduler whose workers, 1 to `size`, have started."""
    scheduler = Scheduler(size, grace=GRACE, **options)  # type: ignore[arg-type]  # each of its own type
    scheduler.open()
    assert take(scheduler) == [Start(key) for key in range(1, size + 1)]
    for key in range(1, size + 1):
        scheduler.worker_ready(key, 0.0)
    return scheduler


def known(timeout: float | None = None) -> Job:
    """A job whose calls have taken 2**-12 seconds so far."""
    job = Job(timeout)
    measure(job, 100, 2.0**-12)
    return job


def failures(actions: list[Action]) -> list[tuple[int, type[BaseException], int]]:
    return [(a.index, type(a.error), a.attempts) for a in actions if isinstance(a, Failed)]

"""What the scheduler is told about calls: jobs, runs of their calls, and the actions it answers with.

Rule: these are records. Nothing here decides, and nothing here knows what a function or an argument is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from elsewhere.call import Retry

if TYPE_CHECKING:
    from elsewhere.sansio.scheduling.peer import Peer

__all__ = ["Action", "Failed", "Interrupt", "Job", "Kill", "Observe", "Order", "Recall", "Retire", "Run", "Send"]
__all__ += ["Skip", "Start", "Stop", "Withdraw"]


class Job:
    """Calls that share a function and options, each known by its index within the job.

    Args:
        timeout: seconds one of its calls may run; None for no limit.
        retry: when a failed call of it is repeated; None for never.
        chunk: calls to hand over together, whatever they cost; None to let the scheduler measure.

    Attributes:
        heap: how many times rarer than for a call somebody waits for its answers may be rung for, and how much more of
            its work a worker may hold therefore; a power of two.
        whole: all its calls are added at once, so that what is ready of it tells how near its end is.
    """

    __slots__ = (
        "answered", "chunk", "failures", "heap", "held", "longest", "retry", "sample", "seconds", "settled", "timeout",
        "whole",
    )  # fmt: skip

    def __init__(self, timeout: float | None = None, retry: Retry | None = None, chunk: int | None = None) -> None:
        self.timeout = timeout
        self.retry = retry
        self.chunk = chunk
        self.seconds: float | None = None  # what one call takes, a running mean; None before the first answer
        self.sample = 0.0  # calls that mean stands for
        self.answered = 0
        self.heap = 1
        self.whole = False
        self.failures: dict[int, int] = {}  # index -> failed runs so far, for calls that are not over
        self.held: dict[int, Peer] = {}  # `lo` of each run of it that a worker holds -> the worker
        self.longest = 0  # calls in the longest of these runs there has been
        self.settled: set[int] = set()  # indexes whose outcome is told although a worker still holds them


class Run:
    """A range of one job's calls, `lo` up to but not including `hi`."""

    __slots__ = ("hi", "job", "lo")

    def __init__(self, job: Job, lo: int, hi: int) -> None:
        self.job = job
        self.lo = lo
        self.hi = hi

    def __repr__(self) -> str:
        return f"Run({id(self.job):x}, {self.lo}, {self.hi})"


class Start(NamedTuple):
    """Start a worker under this key."""

    worker: int


class Send(NamedTuple):
    """Hand a run over to a worker; it answers calls in the order they were handed over."""

    worker: int
    job: Job
    lo: int
    hi: int


class Skip(NamedTuple):
    """Tell a worker not to begin these calls, counted from its first ever; answering them with anything will do."""

    worker: int
    first: int
    last: int


class Recall(NamedTuple):
    """From now on the worker is to begin no further call before it has heard of the next `Withdraw`."""

    worker: int


class Withdraw(NamedTuple):
    """The worker's calls from this one on, counted from its first ever, are others' now; it says `released` to this.

    Their places in the count are given to the calls that are handed over next.
    """

    worker: int
    first: int


class Observe(NamedTuple):
    """Look which call the worker is in, and answer with `Scheduler.observed`."""

    worker: int


class Interrupt(NamedTuple):
    """Raise `CallTimeout` or `CallCancelled` inside the worker's call with this ordinal, if it is still in it."""

    worker: int
    ordinal: int
    cancelled: bool


class Stop(NamedTuple):
    """Ask the worker's process to end (SIGTERM)."""

    worker: int


class Kill(NamedTuple):
    """End the worker's process now (SIGKILL)."""

    worker: int


class Retire(NamedTuple):
    """Tell a worker that holds nothing, and may be starting still, that no more calls will come: it ends in order."""

    worker: int


class Failed(NamedTuple):
    """The last word on a call: it failed.

    Args:
        attempts: how many times it was run, 0 if it never started.
    """

    job: Job
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on a record
    error: BaseException
    attempts: int


Order = Start | Send | Skip | Recall | Withdraw | Observe | Interrupt | Stop | Kill | Retire  # to a worker
Action = Order | Failed

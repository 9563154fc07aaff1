"""What the scheduler knows of one worker.

Rule: bookkeeping only; the decisions are in `scheduler`. The two tables say which state follows which, and what makes
it so: an event of the scheduler (a method's name) or an action of its (a class). docs/design.md shows them drawn.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator

from elsewhere.sansio.scheduling.jobs import Job, Run

__all__ = ["LIFE", "TAKING_BACK", "Peer", "Recalling", "State", "holder"]


class State(enum.Enum):
    """How far a worker is in its life; the first are the first to go when there are too many."""

    KILLED = enum.auto()  # its end has not been reported yet
    STARTING = enum.auto()
    READY = enum.auto()
    LEAVING = enum.auto()  # told that no more calls will come


class Recalling(enum.Enum):
    """Whether calls are being taken back from a worker."""

    NO = enum.auto()
    ASKED = enum.auto()  # it begins no further call before it has heard which are withdrawn
    WITHDRAWN = enum.auto()  # it has not said yet that it has heard


LIFE: dict[State, dict[str, State]] = {
    State.STARTING: {"worker_ready": State.READY, "Retire": State.LEAVING, "Kill": State.KILLED},
    State.READY: {"Retire": State.LEAVING, "Kill": State.KILLED},
    State.LEAVING: {"Kill": State.KILLED},
    State.KILLED: {},  # in each state it may be `lost`, and is forgotten then
}

TAKING_BACK: dict[Recalling, dict[str, Recalling]] = {
    Recalling.NO: {"Recall": Recalling.ASKED},
    Recalling.ASKED: {"Withdraw": Recalling.WITHDRAWN},
    Recalling.WITHDRAWN: {"released": Recalling.NO},
}


def holder(job: Job, index: int) -> tuple[Peer, int] | None:
    """The worker that holds a call, and where in its life it has it; None if none does."""
    near = range(index, index - job.longest, -1)  # where its run begins: at the first of these where any does
    if len(job.held) < job.longest:
        begin = max((lo for lo in job.held if lo in near), default=None)
    else:
        begin = next((lo for lo in near if lo in job.held), None)
    if begin is None:
        return None
    peer = job.held[begin]
    ordinal = peer.ordinal_of(job, index)
    return None if ordinal is None else (peer, ordinal)


class Peer:
    """One worker.

    Attributes:
        held: runs handed over and not answered, oldest first.
        outstanding: calls in `held`.
        done: calls answered in its whole life; the one it is in, if any, has the ordinal ``done + 1``.
        left: calls it may still be handed before it is replaced, 0 when it is worn; None for no limit.
        interrupted: the ordinal it was last interrupted in; 0 for none, or when that is over.
        cancelled: whether that was because nobody wants the call any more.
        check_at: when to look which call it is in; None for never.
        kill_at: when it is to be killed for not coming back; None for never.
        fed: when it was last handed calls.
        recalling: whether calls are being taken back; it is handed no others meanwhile.
        fence: when a look will show all that it began before it could see that it is recalled.
        worn: it is handed no more at all.
        dismissed: one too many: it is handed no more, unless the pool grows again before it has answered what it holds.
    """

    __slots__ = (
        "cancelled", "check_at", "dismissed", "done", "fed", "fence", "held", "interrupted", "key", "kill_at", "left",
        "outstanding", "recalling", "state", "worn",
    )  # fmt: skip

    def __init__(self, key: int, left: int | None) -> None:
        self.key = key
        self.state = State.STARTING
        self.held: deque[Run] = deque()
        self.outstanding = self.done = 0
        self.left = left
        self.interrupted = 0
        self.cancelled = False
        self.check_at: float | None = None
        self.kill_at: float | None = None
        self.fed = 0.0
        self.recalling = Recalling.NO
        self.fence = 0.0
        self.worn = self.dismissed = False

    def turn(self, what: str) -> None:
        """Its state becomes what `LIFE` says; a KeyError if that cannot happen in the state it is in."""
        self.state = LIFE[self.state][what]

    def turn_recall(self, what: str) -> None:
        """The same for `recalling`, by `TAKING_BACK`."""
        self.recalling = TAKING_BACK[self.recalling][what]

    @property
    def first(self) -> tuple[Job, int]:
        """The call it is in, or will begin next."""
        run = self.held[0]
        return run.job, run.lo

    def hold(self, job: Job, lo: int, hi: int, now: float) -> None:
        """A run is handed over."""
        self.fed = now
        if self.held and (run := self.held[-1]).job is job and run.hi == lo:
            run.hi = hi
        else:
            run = Run(job, lo, hi)
            self.held.append(run)
            job.held[lo] = self
        job.longest = max(job.longest, hi - run.lo)
        self.outstanding += hi - lo
        if self.left is not None:
            self.left -= 1 if job.chunk is not None else hi - lo

    def answered(self, count: int) -> None:
        """The first `count` calls of the first run are over."""
        run = self.held[0]
        held = run.job.held
        del held[run.lo]
        run.lo += count
        if run.lo == run.hi:
            self.held.popleft()
        else:
            held[run.lo] = self
        self.outstanding -= count
        self.done += count

    def withdraw(self, first: int) -> list[Run]:
        """Take away the calls from this ordinal on; their runs, in order. Chunks are not given back to `left`."""
        back: deque[Run] = deque()
        excess = self.outstanding - (first - self.done - 1)
        while excess > 0:
            run = self.held[-1]
            size = run.hi - run.lo
            if size <= excess:
                back.appendleft(self.held.pop())
                del run.job.held[run.lo]
            else:
                back.appendleft(Run(run.job, run.hi - excess, run.hi))
                run.hi -= excess
            taken = min(size, excess)
            self.outstanding -= taken
            if self.left is not None and run.job.chunk is None and not self.worn:
                self.left += taken
            excess -= taken
        return list(back)

    def load(self) -> float:
        """Seconds of work it holds, by what the jobs' calls have taken so far; endless if one has not been measured."""
        total = 0.0
        for run in self.held:
            if run.job.seconds is None:
                return float("inf")
            total += run.job.seconds * (run.hi - run.lo)
        return total

    def calls_of(self, job: Job) -> Iterator[tuple[int, int]]:
        """Index and ordinal of each call of a job that it holds."""
        ordinal = self.done + 1
        for run in self.held:
            if run.job is job:
                yield from zip(range(run.lo, run.hi), range(ordinal, ordinal + run.hi - run.lo), strict=True)
            ordinal += run.hi - run.lo

    def call_at(self, ordinal: int) -> tuple[Job, int] | None:
        """The call that has this ordinal; None if it is answered, or not handed over yet."""
        ahead = ordinal - self.done - 1
        for run in self.held if ahead >= 0 else ():
            if ahead < run.hi - run.lo:
                return run.job, run.lo + ahead
            ahead -= run.hi - run.lo
        return None

    def ordinal_of(self, job: Job, index: int) -> int | None:
        """Where in its life it has, or will have, a call; None if it does not hold it."""
        ordinal = self.done + 1
        for run in self.held:
            if run.job is job and run.lo <= index < run.hi:
                return ordinal + index - run.lo
            ordinal += run.hi - run.lo
        return None

    def holds_settled(self) -> bool:
        """Does it hold a call whose outcome is already told?"""
        return any(run.job.settled for run in self.held)

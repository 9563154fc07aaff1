"""A made-up worker process, and what is known of one call.

Rule: it does what a real one may, in steps as small as others can see: read a frame, claim a call, look for a recall,
begin, answer. A test says which step comes when.

What it stores may be seen late (`UNSEEN`): a processor lets a later read overtake an earlier store, so a worker may
have looked for a recall, found none and begun a call while the pool still reads the claim before.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf

from elsewhere.sansio.scheduling.jobs import Job

__all__ = ["UNSEEN", "Boom", "Call", "Frame", "Odd", "Worker"]

UNSEEN = 0.0004  # seconds that a store may be unseen by others after the read that overtook it


class Boom(Exception):
    """What a call raises."""


class Odd(Exception):
    """What a call raises that no Retry asks for."""


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


@dataclass(frozen=True)
class Frame:
    """What the pool has written to a worker's socket: one of these."""

    calls: tuple[Call, ...] = ()
    skip: tuple[int, int] | None = None
    withdraw: int | None = None


@dataclass(eq=False)
class Worker:
    """A made-up worker process; `held`, `used` and what follows them is the model's knowledge of it."""

    key: int
    ready: bool = False
    inbox: deque[Frame] = field(default_factory=deque)  # written by the pool, not read
    queue: deque[Call] = field(default_factory=deque)  # read, not claimed
    claimed: Call | None = None  # its ordinal is stored, it has not begun
    parked: bool = False  # has seen a recall, waits for the Withdraw
    current: Call | None = None
    started: int = 0
    since: float = 0.0
    seen_from: float = -inf  # when its last stores are seen by others
    seen_before: tuple[int, float] = (0, 0.0)  # what is seen until then
    recalls: int = 0  # the word on its page
    heard: int = 0  # Withdraws it has read
    untold: deque[tuple[BaseException | None, float]] = field(default_factory=deque)  # answers
    unacknowledged: int = 0  # Withdraws read whose `released` is not told
    skips: set[int] = field(default_factory=set)
    pending_interrupt: BaseException | None = None

    held: deque[Call] = field(default_factory=deque)  # handed over, neither told to be answered nor withdrawn
    told: int = 0
    told_at: float = 0.0  # when its last answer was told
    used: int = 0  # of its lifetime
    worn: bool = False  # has said that it wants to be replaced
    struck: bool = False  # was there when one that was starting was killed
    fed: float = 0.0
    seen: tuple[int, float] = (0, 0.0)  # ordinal and start as of the last look
    asked: int = 0  # Recalls decided
    withdrawn: int = 0  # Withdraws decided
    released: int = 0
    recalled_at: float = inf
    stuck_since: float = inf  # others have had nothing to do for so long while calls wait behind its present one
    stuck_in: int = 0
    interrupted: int = 0
    interrupted_at: float = 0.0
    interrupt_is_timeout: bool = False
    ever_interrupted: set[int] = field(default_factory=set)
    excused: int = 0  # the ordinal it was in when it was last interrupted
    dismissed: bool = False  # one too many: it is handed no more, and leaves when it has answered
    retired: bool = False
    stopped: bool = False
    killed: bool = False

    @property
    def begun(self) -> int:
        """Calls it has begun, or answered as skipped."""
        return self.started - (self.claimed is not None)

    @property
    def recalled(self) -> bool:
        """Is it being recalled, from the decision to the `released` that is told?"""
        return self.asked > self.released

    @property
    def free(self) -> bool:
        """Has it nothing to do?"""
        return self.ready and not self.held and not self.retired and not self.killed

    @property
    def idle(self) -> bool:
        """Could it be handed calls, and has none?"""
        return self.free and not self.recalled

    def visible(self, now: float) -> tuple[int, float]:
        """The ordinal and start that another process reads."""
        seen_from = self.since + UNSEEN if self.seen_from == inf else self.seen_from
        return (self.started, self.since) if now >= seen_from else self.seen_before

    def read(self) -> None:
        """Read one frame."""
        frame = self.inbox.popleft()
        self.queue.extend(frame.calls)
        if frame.skip is not None:
            self.skips.update(range(frame.skip[0], frame.skip[1] + 1))
        if frame.withdraw is not None:
            self._give_up(frame.withdraw)

    def read_all(self) -> None:
        while self.inbox:
            self.read()

    def _give_up(self, first: int) -> None:
        """Calls from this ordinal on are others' now."""
        assert first > self.begun, "it has begun what is withdrawn"
        if self.claimed is not None and self.started >= first:
            self.claimed = None
            self.started = first - 1
            self.seen_from = -inf
        while self.queue and self.started + len(self.queue) >= first:
            self.queue.pop()
        self.skips = {ordinal for ordinal in self.skips if ordinal < first}
        self.heard += 1
        self.unacknowledged += 1
        self.parked = False

    def claim(self, now: float, *, late: bool = False) -> None:
        """Store that the next call is the present one. With `late`, others do not see that yet."""
        assert self.current is None
        assert self.claimed is None
        self.seen_before, self.seen_from = (self.started, self.since), inf if late else -inf
        self.claimed = self.queue.popleft()
        self.started += 1
        self.since = now

    def look(self, now: float, unseen: float = 0.0) -> None:
        """Look for a recall: begin the claimed call, or answer it as skipped, if there is none."""
        assert self.claimed is not None
        if self.seen_from == inf:
            self.seen_from = now + unseen if now < self.since + UNSEEN else now
        self.parked = self.recalls > self.heard
        if self.parked:
            return
        call, self.claimed = self.claimed, None
        if self.started in self.skips:
            self.untold.append((Boom("skipped"), 0.0))
            return
        assert call.place is self, "it runs what another holds"
        assert call.over or call.runs <= call.failures, "it runs a second time"
        self.current = call
        call.runs += 1

    def answer(self, now: float, error: BaseException | None = None) -> None:
        self.seen_from = -inf  # an answer is stored later: who sees it sees the claim
        self.untold.append((error, now - self.since))
        self.current = self.pending_interrupt = None

    def step(self, now: float, *, late: bool = False) -> bool:
        """Whatever comes next; False if it waits for the pool."""
        if self.current is not None:
            self.answer(now)
        elif self.claimed is not None and not self.parked:
            self.look(now, UNSEEN)
        elif self.inbox and (self.parked or not self.queue):
            self.read()
        elif self.queue and not self.parked:
            self.claim(now, late=late)
        else:
            return False
        return True

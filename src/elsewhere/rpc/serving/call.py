"""A call that is under way, and what a session needs of its connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from elsewhere.rpc.serving.methods.registry import Method
from elsewhere.rpc.serving.methods.results import Data

if TYPE_CHECKING:
    from elsewhere.rpc.serving.session import Session

__all__ = ["Call", "Link", "Timer"]


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> object:
        """It will not."""


class Link(Protocol):
    """The connection below a session."""

    @property
    def label(self) -> str:
        """Who is at its other end, for texts."""

    def post(self, data: Data) -> None:
        """Send it soon, from any thread, without waiting."""

    def later(self, seconds: float, work: Callable[[], object]) -> Timer:
        """Call `work` after so many seconds, in whatever thread; it takes no time."""

    def end(self, reason: str) -> None:
        """End the connection."""

    def eased(self) -> None:
        """A call that was under way has ended."""


class Call:
    """A call that was not answered by the time another message is looked at.

    Attributes:
        session: whose.
        method: what is called.
        msgid: None for a notification.
        begun: when, by the monotonic clock.
        limit: seconds that it may take, or None.
        timer: of its time limit, if it has one.
        over: it has been answered: it ended, or it was too late, or it was cancelled.
        anywhere: any thread may say how it has ended, also where connections live on a loop.
    """

    anywhere = False

    __slots__ = ("_open", "_stops", "begun", "limit", "method", "msgid", "over", "session", "timer")

    def __init__(self, session: Session, method: Method, msgid: int | None, begun: float, limit: float | None) -> None:
        self.session = session
        self.method = method
        self.msgid = msgid
        self.begun = begun
        self.limit = limit
        self.timer: Timer | None = None
        self.over = False
        self._open = [True]
        self._stops: list[Callable[[], object]] = []

    def stopped_by(self, stop: Callable[[], object]) -> None:
        """This is how to stop it; at once, if it was answered before that was known."""
        self._stops.append(stop)
        if self.over:
            self.stop()

    def stop(self) -> None:
        """Stop what runs, if it is known how; once, whoever asks."""
        try:
            stop = self._stops.pop()
        except IndexError:
            return
        stop()

    def close(self) -> bool:
        """Answer it, once: True for who does."""
        try:
            self._open.pop()
        except IndexError:
            return False
        self.over = True
        return True

    def waits(self) -> None:
        """As `caller` wants it: its thread waits for its caller, and others need one meanwhile."""
        self.session.engine.lend(1)

    def goes_on(self) -> None:
        """It waits no more."""
        self.session.engine.lend(-1)

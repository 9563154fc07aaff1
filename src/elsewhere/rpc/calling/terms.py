"""What a call is told apart from its method and arguments, and what its errors say. Rule: never an argument's value."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from elsewhere.call import Retry
from elsewhere.errors import CallTimeout, ConnectError, ConnectionLost, ElsewhereError

if TYPE_CHECKING:
    from elsewhere.runtime.future import Future, Owner

__all__ = [
    "CLEAN", "DIRTY", "HANDED", "NOT_ALONE",
    "Call", "Calling", "Lone", "Reentered", "Slot", "Terms", "late", "lost",
]  # fmt: skip

NOT_ALONE, DIRTY, CLEAN, HANDED = range(4)
NONE: dict[str, Any] = {}


class Reentered(RuntimeError):
    """A destructor, or other code that Python runs in the middle of ours, made a call of the client that is at work."""

    def __init__(self) -> None:
        super().__init__(
            "a destructor that runs in the middle of a call cannot wait for another call of the same client: "
            "it may notify or submit"
        )


class Terms(NamedTuple):
    """What `connect` and `Client.options` set.

    Args:
        limit: seconds for a call; `math.inf` for no limit.
        by: who has set the limit, in words.
        retry: when and how often a failed call is repeated; None: see `Link`.
        idempotent: calls may be repeated although they may have run.
    """

    limit: float
    by: str
    retry: Retry | None = None
    idempotent: bool = False


class Call:
    """A call whose outcome is a `Future`, until that is known.

    Attributes:
        began: when it, or its latest repeat, began; of `time.monotonic`.
        deadline: when its limit is over.
        channel: the connection it was sent on; None before that.
        end: how many bytes the connection will have sent when the call's last one is.
        failures: how often it has failed.
    """

    __slots__ = ("args", "began", "channel", "deadline", "end", "failures", "kwargs", "method", "terms")

    def __init__(self, method: str, args: Any, kwargs: dict[str, Any], terms: Terms, began: float) -> None:
        self.method = method
        self.args = args
        self.kwargs = kwargs or NONE  # thousands may be under way
        self.terms = terms
        self.began = began
        self.deadline = began + terms.limit
        self.channel: Any = None
        self.end = 0
        self.failures = 0


class Calling(Protocol):
    """What is behind a `Client`, whatever it speaks; each method is described there."""

    address: str
    closed: bool

    def call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], terms: Terms) -> Any: ...

    def submit(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], terms: Terms) -> Future[Any]: ...

    def notify(self, method: str, args: tuple[Any, ...], terms: Terms) -> None: ...

    def listed(self, terms: Terms) -> list[dict[str, Any]]: ...

    def state(self) -> str: ...

    def close(self) -> None: ...

    # What a batch needs:

    def check_packing(self, method: str, args: Any, kwargs: dict[str, Any], terms: Terms) -> None:
        """Raise if the arguments cannot be sent."""

    def collected(self, method: str, args: Any, kwargs: dict[str, Any], terms: Terms, began: float) -> Call:
        """A call that `launch` will send."""

    def gathering(self) -> AbstractContextManager[None]:
        """What is sent inside goes together."""

    def launch(self, future: Future[Any], call: Any) -> None:
        """Send it; its outcome is the future's."""

    def owner(self) -> Owner:
        """Of its futures."""


class Slot:
    """A thread that waits: for an answer, for a future, or for its turn to read.

    Attributes:
        answer: the message.
        error: there will be none, and why.
        reads: it has the turn to read.
        end: how many bytes the connection will have sent when its call's last one is.
    """

    __slots__ = ("answer", "end", "error", "method", "reads", "wake")

    def __init__(self, method: str = "") -> None:
        self.method = method
        self.answer: list[Any] | None = None
        self.error: ElsewhereError | None = None
        self.reads = False
        self.end = 0
        self.wake = threading.Lock()
        self.wake.acquire()

    def done(self) -> bool:
        return self.answer is not None or self.error is not None

    def rouse(self) -> None:
        """Let it look again."""
        try:
            self.wake.release()
        except RuntimeError:  # it was told already, by somebody else
            return


class Lone:
    """A thread whose call is alone on its connection: a `Slot` that costs less, and has the turn from the beginning.

    Attributes:
        stage: what an exception of a signal's handler would hit: nothing yet, work half done, a sleep, or nothing
            any more.
    """

    method = ""
    msgid = end = 0
    answer: list[Any] | None = None
    error: ElsewhereError | None = None
    stage = NOT_ALONE

    def rouse(self) -> None:
        """It is awake."""


def lost(method: str, address: str, reason: str, *, never: bool, cause: BaseException | None = None) -> ElsewhereError:
    """The error of a call whose connection has ended."""
    if never:
        text = f"{method} at {address} certainly did not run: the connection ended before it was sent: {reason}"
        error: ElsewhereError = ConnectError(text, address=address, phase="call")
    else:
        text = f"{method} at {address} may have run: the connection ended before its answer came: {reason}"
        error = ConnectionLost(text, address=address, phase="call")
    error.__cause__ = cause
    return error


def late(method: str, address: str, terms: Terms, elapsed: float, where: str) -> CallTimeout:
    """The error of a call that was given up after its limit.

    Args:
        elapsed: seconds that it took so far.
        where: it was, in words.
    """
    return CallTimeout(
        f"{method} at {address} did not end within its limit of {terms.limit:g} s (set by {terms.by}): "
        f"after {elapsed:.3g} s it {where}"
    )

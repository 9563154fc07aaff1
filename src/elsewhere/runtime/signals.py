"""Signal handlers of the main thread run only where an exception from them can do no harm.

Rule: while the main thread drives a pool, a handler written in Python is called between steps, or while the thread
sleeps; never inside a step. What it raises then comes out of the method that waits.

Python calls a handler between any two instructions of the main thread, and what it raises (KeyboardInterrupt, or a
timeout of the user's) appears there: halfway through a decision, or with a lock just taken. Blocking signals does not
help, because another thread may receive them, and the handler runs in the main thread all the same. So the handlers
that are there when a wait begins are wrapped until it ends, and those that are called at a bad moment are put off.
"""

from __future__ import annotations

import _signal as raw  # type: ignore[import-not-found]  # signal without its enums, which cost more than all the rest
import threading
from collections import deque
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["Deferred", "harmless"]

Handler = Callable[[int, FrameType | None], Any]

_SIGNALS = tuple(sorted(int(number) for number in raw.valid_signals()))
_harmless: list[Any] = []  # handlers of our own, which raise nothing
_main = threading.main_thread().ident


def harmless(handler: Handler) -> Handler:
    """Mark a handler that raises nothing, and so may be called anywhere."""
    _harmless.append(handler)
    return handler


class _Wrapped:
    """A user's handler, called at once or put off."""

    __slots__ = ("handler",)

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, signum: int, frame: FrameType | None) -> Any:
        state = _state
        if state.depth and not state.open:
            state.pending.append((self.handler, signum, frame))
            return
        state.open = False  # if it raises, nothing else is to come in between until the wait is over
        self.handler(signum, frame)
        state.open = True


class _State:
    """Of the main thread, the only one in which handlers run."""

    def __init__(self) -> None:
        self.depth = 0
        self.open = False
        self.pending: deque[tuple[Handler, int, FrameType | None]] = deque()
        self.seen: list[Any] = []  # the handlers as they were found last time
        self.wrapped: list[tuple[int, _Wrapped]] = []  # what becomes of them

    def wrap(self) -> None:
        """Put a wrapper in the place of each handler that may raise."""
        found = list(map(raw.getsignal, _SIGNALS))
        if found != self.seen:
            self.wrapped = [
                (signum, _Wrapped(handler.handler if type(handler) is _Wrapped else handler))
                for signum, handler in zip(_SIGNALS, found, strict=True)
                if callable(handler) and not any(handler is one for one in _harmless)
            ]
            self.seen = found
        try:
            for signum, wrapped in self.wrapped:
                raw.signal(signum, wrapped)
        except BaseException:  # from one that is not wrapped yet; wrappers that stay behind call what they wrap
            self.unwrap()
            raise

    def unwrap(self) -> None:
        """Put the handlers back, but for those that the user's own code has set meanwhile."""
        for signum, wrapped in self.wrapped:
            if raw.getsignal(signum) is wrapped:
                raw.signal(signum, wrapped.handler)


_state = _State()


class Deferred:
    """A context in which the main thread's handlers are put off but for the inside of `safe`. Elsewhere it is empty."""

    __slots__ = ("_active", "_was_open")

    def __enter__(self) -> Self:
        self._active = threading.get_ident() == _main
        if self._active:
            if not _state.depth:
                _state.wrap()
            self._was_open = _state.open  # of an outer wait, whose handler is what waits here
            _state.open = False
            _state.depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._active:
            return
        _state.depth -= 1
        if _state.depth:
            _state.open = self._was_open
            return
        _state.unwrap()
        if _state.pending:
            _run_pending()

    def sleep(self, wait: Callable[[Any], Any], argument: Any) -> Any:
        """``wait(argument)``, with handlers called as they come; first those that were put off."""
        if not self._active:
            return wait(argument)
        _state.open = True
        try:
            if _state.pending:
                _run_pending()
            return wait(argument)
        finally:
            _state.open = False


def _run_pending() -> None:
    """Call all; the first exception is raised after that."""
    first: BaseException | None = None
    while _state.pending:
        handler, signum, frame = _state.pending.popleft()
        try:
            handler(signum, frame)
        except BaseException as error:  # noqa: BLE001 - raised below
            first = first or error
    if first is not None:
        raise first

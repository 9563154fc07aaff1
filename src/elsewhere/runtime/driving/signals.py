"""Signal handlers of the main thread run only where an exception from them can do no harm.

Rule: while the main thread drives a pool, a handler written in Python is called between steps, or while the thread
sleeps; never inside a step. What it raises then comes out of the method that waits.

Python calls a handler between any two instructions of the main thread, and what it raises (KeyboardInterrupt, or a
timeout of the user's) appears there: halfway through a decision, or with a lock just taken. Blocking signals does not
help, because another thread may receive them, and the handler runs in the main thread all the same. So the handlers
that are there when a wait begins are wrapped until it ends, and those that are called at a bad moment are put off.

The code here runs while some handlers are wrapped and some are not. It relies on Python calling handlers only after
calls, at backward jumps and at the start of functions, and so never between two plain assignments.
"""

from __future__ import annotations

import _signal as raw  # type: ignore[import-not-found]  # signal without its enums, which cost more than all the rest
import os
import threading
from collections import deque
from collections.abc import Callable
from operator import attrgetter
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["Condition", "Deferred", "harmless", "is_from_handler"]

Handler = Callable[[int, FrameType | None], Any]

_SIGNALS = tuple(sorted(int(number) for number in raw.valid_signals()))
_harmless: list[Any] = []  # handlers of our own, which raise nothing
_main = threading.main_thread().ident


def harmless(handler: Handler) -> Handler:
    """Mark a handler that raises nothing, and so may be called anywhere."""
    _harmless.append(handler)
    return handler


class Condition(threading.Condition):
    """The standard library's, whose ``with`` is entered and left in one go.

    There a handler can be called, and raise, after the lock was taken and before ``with`` knows it: the lock then stays
    taken for ever. Here ``with`` gets the lock's own methods, which are written in C.
    """

    __enter__ = property(attrgetter("_lock.__enter__"))  # found by `with`, as a method is
    __exit__ = property(attrgetter("_lock.__exit__"))


class _Wrapped:
    """A user's handler, called at once or put off."""

    __slots__ = ("handler",)

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if _state.depth and not _state.open:
            _state.pending.append((self, signum, frame))
        else:
            self.run(signum, frame)

    def run(self, signum: int, frame: FrameType | None) -> None:
        """Call it."""
        try:
            self.handler(signum, frame)
        finally:
            if _state.depth:
                _state.wrap_new()


class _State:
    """Of the main thread, the only one in which handlers run."""

    def __init__(self) -> None:
        self.depth = 0
        self.open = False
        self.pending: deque[tuple[_Wrapped, int, FrameType | None]] = deque()
        self.seen: list[Any] = []  # the handlers as they were found last time
        self.wrapped: list[tuple[int, _Wrapped]] = []  # what becomes of them

    def wrap(self) -> None:
        """Put a wrapper in the place of each handler that may raise."""
        found = list(map(raw.getsignal, _SIGNALS))
        if found != self.seen:
            self.wrapped = [
                (signum, _Wrapped(handler.handler if type(handler) is _Wrapped else handler))
                for signum, handler in zip(_SIGNALS, found, strict=True)
                if _may_raise(handler)
            ]
            self.seen = found
        for signum, wrapped in self.wrapped:
            raw.signal(signum, wrapped)

    def wrap_new(self) -> None:
        """A handler ran, and may have set handlers, itself again for example."""
        for signum in _SIGNALS:
            handler = raw.getsignal(signum)
            if type(handler) is not _Wrapped and _may_raise(handler):
                self.seen = []
                self.wrapped.append((signum, _Wrapped(handler)))
                raw.signal(signum, self.wrapped[-1][1])

    def unwrap(self) -> None:
        """Put the handlers back, but for those that the user's own code has set meanwhile."""
        for signum, wrapped in self.wrapped:
            if raw.getsignal(signum) is wrapped:
                raw.signal(signum, wrapped.handler)

    def end(self) -> None:
        """The outermost wait is over: put the handlers back, then call those that were put off."""
        try:
            self.unwrap()
        except BaseException:  # from a handler that is back in its place: the others follow
            self.unwrap()
            raise
        finally:
            self.depth = 0
            if self.pending:
                self.run_pending()

    def run_pending(self) -> None:
        """Call all. If several raise, the last exception has the one before as its context, as always in Python."""
        while self.pending:
            wrapped, signum, frame = self.pending.popleft()
            try:
                wrapped.run(signum, frame)
            except BaseException:
                self.run_pending()
                raise


def _may_raise(handler: Any) -> bool:
    return callable(handler) and not any(handler is one for one in _harmless)


_state = _State()


class Deferred:
    """A context in which the main thread's handlers are put off but for inside `sleep`. Elsewhere it is empty.

    Attributes:
        active: this is the main thread.
    """

    __slots__ = ("_was_open", "active")

    def __enter__(self) -> Self:
        self.active = threading.get_ident() == _main
        if self.active:
            self._was_open = _state.open  # of an outer wait, whose handler is what waits here
            _state.open = False
            _state.depth += 1
            if _state.depth == 1:
                try:
                    _state.wrap()
                except BaseException:  # from a handler that was not wrapped yet
                    _state.end()
                    raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.active:
            return
        if _state.depth == 1:
            _state.end()
            return
        _state.depth -= 1
        _state.open = self._was_open
        if self._was_open and _state.pending:
            _state.run_pending()

    def sleep(self, wait: Callable[[Any], Any], argument: Any) -> Any:
        """``wait(argument)``, with handlers called as they come; first those that were put off."""
        if not self.active:
            return wait(argument)
        _state.open = True
        try:
            if _state.pending:
                _state.run_pending()
            return wait(argument)
        finally:
            _state.open = False


def is_from_handler(error: BaseException, again: Callable[[], object]) -> bool:
    """Did a signal handler raise this, and not the work that it interrupted? The work is done again to know.

    For code that takes every exception of the user's code as an answer, outside of a wait.
    """
    trace = error.__traceback__
    if (
        trace is None or trace.tb_next is None or threading.get_ident() != _main
    ):  # without a frame below: not Python code
        return False
    with Deferred():
        try:
            again()
        except Exception:  # noqa: BLE001 - whatever it is, it is the work's own
            return False
    return True


def _forked() -> None:
    """In a forked child whose main thread is another: the wait that was going on is the parent's."""
    global _main, _state
    if threading.get_ident() != _main:
        _main = threading.get_ident()
        _state.unwrap()
        _state = _State()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

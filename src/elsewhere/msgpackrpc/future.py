"""The outcome of a call.

Who waits for one reads the connection, for the others too (`transport.link`). So nothing is read while nobody waits,
as with the original, whose loop runs only inside `join`; but a future with a callback is waited for by a thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from elsewhere.msgpackrpc import error as _error

if TYPE_CHECKING:
    from elsewhere.msgpackrpc.transport.link import Link

__all__ = ["Future", "Slot"]

_log = logging.getLogger("elsewhere.msgpackrpc")
_callbacks = threading.Lock()  # between an outcome and `attach_callback`


class Slot:
    """A thread that waits for a future, or for its turn to read."""

    __slots__ = ("_lock", "_woken", "leads")

    def __init__(self) -> None:
        self.leads = False  # it was woken to read
        self._woken = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, seconds: float | None) -> None:
        self._lock.acquire(timeout=-1 if seconds is None else min(max(seconds, 0.0), threading.TIMEOUT_MAX))

    def wake(self) -> None:
        """With the mutex held that guards the slot."""
        if not self._woken:
            self._woken = True
            self._lock.release()


class Future:
    """What `call_async` gives.

    Args:
        loop: of the session; its `start` returns when a call has its outcome.
        timeout: seconds from now; None or 0 for ever.
        callback: is called with this future when it has its outcome.
    """

    def __init__(self, loop: Any, timeout: float | None, callback: Callable[[Future], Any] | None = None) -> None:
        self._loop = loop
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout if timeout else None
        self._error: Any = None
        self._result: Any = None
        self._set_flag = False
        self._calling = 0  # the thread that runs the callback
        self._joined = False
        self._callback = callback
        self._error_handler: Callable[[Any], Any] | None = None
        self._result_handler: Callable[[Any], Any] | None = None
        self._link: Link | None = None  # the connection that the answer comes from
        self._msgid = -1
        self._mutex = _callbacks  # of the link, if there is one: guards what follows
        self._slots: list[Slot] = []

    # ---- waiting -----------------------------------------------------------------------------------------------------

    def join(self) -> None:
        """Wait until there is an outcome, at most as long as the session's timeout says; raises nothing."""
        self._joined = True
        heard = getattr(self._loop, "_heard", None)
        if heard is not None:
            heard(self)
        if self._link is not None:
            self._link.wait(self)
            return
        while not self._over():
            slot = Slot()
            with self._mutex:
                if self._over():
                    return
                self._slots.append(slot)
            slot.wait(None)

    def get(self) -> Any:
        """The result; None if a handler was attached, which has been given it.

        Raises:
            TimeoutError: no answer came in time.
            TransportError: the connection could not be had, or has ended.
            RPCError: the answer is an error; its argument is the error object.
        """
        self.join()
        if self._result is not None:
            if self._result_handler is None:
                return self._result
            self._result_handler(self._result)
            return None
        if self._error is None:
            return None
        if self._error_handler is not None:
            self._error_handler(self._error)
            return None
        if isinstance(self._error, _error.RPCError):
            raise self._error
        raise _error.RPCError(self._error)

    @property
    def result(self) -> Any:
        return self._result

    @property
    def error(self) -> Any:
        return self._error

    def attach_callback(self, callback: Callable[[Future], Any]) -> None:
        """Call it with this future when there is an outcome, in the thread that has read it."""
        with _callbacks:
            self._callback = callback
            late = self._set_flag
        if late:
            self._call_back()
        elif self._link is not None:
            self._link.attend(self)

    def attach_error_handler(self, handler: Callable[[Any], Any]) -> None:
        """`get` calls it with the error instead of raising."""
        self._error_handler = handler

    def attach_result_handler(self, handler: Callable[[Any], Any]) -> None:
        """`get` calls it with the result, unless that is None, and gives None."""
        self._result_handler = handler

    # ---- the outcome -------------------------------------------------------------------------------------------------

    def set(self, error: Any = None, result: Any = None) -> None:
        self._outcome(error, result, again=True)
        self._settle()

    def set_result(self, result: Any) -> None:
        self.set(result=result)

    def set_error(self, error: Any) -> None:
        self.set(error=error)

    def _outcome(self, error: Any, result: Any, *, again: bool = False) -> bool:
        """Take it, and say whether it is the first; `_settle` has to follow."""
        with _callbacks:
            if self._set_flag and not again:
                return False
            self._error = error
            self._result = result
            if self._callback is not None:
                self._calling = threading.get_ident()
            self._set_flag = True
            return True

    def _settle(self) -> None:
        """Run the callback, then wake who waits: `join` returns after it, as with the original."""
        try:
            if self._calling:
                self._call_back()
        finally:
            self._calling = 0
            with self._mutex:
                slots, self._slots = self._slots, []
                for slot in slots:
                    slot.wake()
            answered = getattr(self._loop, "_answered", None)
            if answered is not None:
                answered(self)

    def _call_back(self) -> None:
        assert self._callback is not None
        try:
            self._callback(self)
        except Exception:  # noqa: BLE001 - the program's; nobody waits for what it raises
            _log.exception("a callback of a future raised")

    def _over(self) -> bool:
        """Is there nothing to wait for? The callback itself may use the outcome."""
        return self._set_flag and (not self._calling or self._calling == threading.get_ident())

    def _left(self) -> float | None:
        """Seconds, perhaps below 0; None for ever."""
        return None if self._deadline is None else self._deadline - time.monotonic()

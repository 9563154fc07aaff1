"""Every exception that elsewhere raises, sorted by what the caller can do about it.

::

    ElsewhereError
    ├── NeverStarted            the call certainly never started: safe to repeat
    │   ├── PoolClosed          the pool takes no more calls, or ended before this one began (a ValueError)
    │   └── WorkerStartError    workers cannot start: an initializer raises, a preload kills the process
    ├── MayHaveRun              the call may have run, in part or whole: repeat it only if that does no harm
    │   └── WorkerLost          its worker died; knows the pid, the exit code and the signal's name
    │       └── LimitExceeded   it was killed because the call took more than it was allowed; knows the limit's name
    ├── TooLate
    │   └── CallTimeout         the call ran longer than the timeout it was described with (a TimeoutError)
    ├── CallCancelled           raised *inside* a running call that was cancelled; callers see CancelledError
    ├── RemoteError             the function's own exception, which could not travel: type name, text, traceback
    │   └── MaybeEncodingError  the function's result, which nothing can pickle (defined in `elsewhere.runtime.compat`)
    ├── ProtocolError           the far side sent something that is no message of ours
    └── InternalError           a bug in elsewhere: please report it

An exception that the function itself raised is none of these: it arrives as its own type, with its attributes, the
remote traceback as its cause, and a note that names the call. Waiting that ends too early
(``future.result(timeout=1)``) raises the standard library's ``TimeoutError`` and stops only the waiting.
"""

import signal

__all__ = [
    "CallCancelled",
    "CallTimeout",
    "ElsewhereError",
    "InternalError",
    "LimitExceeded",
    "MayHaveRun",
    "NeverStarted",
    "PoolClosed",
    "ProtocolError",
    "RemoteError",
    "TooLate",
    "WorkerLost",
    "WorkerStartError",
]


class ElsewhereError(Exception):
    """Base of every failure that is elsewhere's, not the called function's."""


class NeverStarted(ElsewhereError):
    """The call certainly never started: repeating it is safe."""


class PoolClosed(NeverStarted, ValueError):
    """The pool takes no more calls, or ended before this call began.

    Also a `ValueError`, which is what `multiprocessing.Pool` raises.
    """


class WorkerStartError(NeverStarted):
    """Workers of this pool cannot start: several in a row failed in the same way.

    The cause, if there is one, is the exception that the initializer raised.
    """


class MayHaveRun(ElsewhereError):
    """The call may have run, in part or whole: repeat it only if that does no harm."""


class WorkerLost(MayHaveRun):
    """The worker died while it ran this call.

    Attributes:
        exitcode: the process's exit status; negative for a signal's number, None when it is not known.
        signal: the signal's name such as ``"SIGKILL"``, or None.
        pid: the process id, or None when the worker had none.
        call: the call it was in, as text.
    """

    def __init__(
        self, message: str = "", *, exitcode: int | None = None, pid: int | None = None, call: str = ""
    ) -> None:
        super().__init__(message or _lost(exitcode, pid, call))
        self.exitcode = exitcode
        self.pid = pid
        self.call = call

    @property
    def signal(self) -> str | None:
        return signal_name(self.exitcode)


class LimitExceeded(WorkerLost):
    """The call took more than `options` allowed it, and its process was killed.

    Attributes:
        limit: the option's name, ``"memory"`` or ``"cpu_seconds"``.
    """

    def __init__(
        self,
        message: str = "",
        *,
        limit: str = "",
        exitcode: int | None = None,
        pid: int | None = None,
        call: str = "",
    ) -> None:
        super().__init__(message, exitcode=exitcode, pid=pid, call=call)
        self.limit = limit


class TooLate(ElsewhereError):
    """The call did not end in the time it was given."""


class CallTimeout(TooLate, TimeoutError):
    """The call ran longer than its own timeout and was stopped.

    Inside the function it is raised first, so that ``finally`` and ``with`` run; the worker is killed if it
    does not come back within the pool's ``grace``.
    """


class CallCancelled(ElsewhereError):
    """Raised inside a running call whose future was cancelled, so that ``finally`` and ``with`` run."""


class RemoteError(ElsewhereError):
    """The function's own exception, in words, because the exception itself could not travel.

    Attributes:
        type_name: the exception's qualified type name, such as ``"mymodule.MyError"``.
        text: ``str()`` of the exception.
        traceback: the remote traceback as text.
    """

    def __init__(self, message: str = "", *, type_name: str = "", text: str = "", traceback: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name
        self.text = text
        self.traceback = traceback


class ProtocolError(ElsewhereError):
    """The far side sent something that is no message of ours."""


class InternalError(ElsewhereError):
    """A bug in elsewhere, not in your code: please report it with the traceback."""


def signal_name(exitcode: int | None) -> str | None:
    """``-9`` is ``"SIGKILL"``; None for a plain exit or an unknown status."""
    if exitcode is None or exitcode >= 0:
        return None
    try:
        return signal.Signals(-exitcode).name
    except ValueError:
        return f"signal {-exitcode}"


def describe_exit(exitcode: int | None) -> str:
    """How a process ended, for a sentence: ``"was killed by SIGKILL"``, ``"exited with code 3"``."""
    if exitcode is None:
        return "died"
    name = signal_name(exitcode)
    if name is None:
        return f"exited with code {exitcode}"
    return f"was killed by {name}" + (" (often: out of memory)" if name == "SIGKILL" else "")


def _lost(exitcode: int | None, pid: int | None, call: str) -> str:
    worker = "a worker" if pid is None else f"worker {pid}"
    return f"{worker} {describe_exit(exitcode)} while it ran {call or 'a call'}"

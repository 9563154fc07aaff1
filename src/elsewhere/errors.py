"""Every exception that elsewhere raises, sorted by what the caller can do about it.

::

    ElsewhereError
    ├── NeverStarted            the call certainly never started: safe to repeat
    │   ├── PoolClosed          the pool takes no more calls, or ended before this one began (a ValueError)
    │   ├── WorkerStartError    workers cannot start: an initializer raises, a preload kills the process
    │   ├── ConnectError        no connection to the address; knows the phase it failed in (a ConnectionError)
    │   │   ├── ConnectTimeout  ... within the time (a TimeoutError)
    │   │   └── HostKeyError    the host's key is unknown, or is not the one that is known; knows its fingerprint
    │   ├── Unauthorized        the far side wants a token or a login, or another one (a PermissionError)
    │   └── NotTouched          a host that was left alone, because too many others had failed before its turn
    ├── MayHaveRun              the call may have run, in part or whole: repeat it only if that does no harm
    │   ├── WorkerLost          its worker died; knows the pid, the exit code and the signal's name
    │   │   └── LimitExceeded   it was killed because the call took more than it was allowed; knows the limit's name
    │   └── ConnectionLost      the connection broke while something was under way (a ConnectionError)
    ├── TooLate
    │   ├── CallTimeout         the call ran longer than the timeout it was described with (a TimeoutError)
    │   └── SocketTimeout       a read or write of a connection took longer than it was given (a TimeoutError)
    ├── CallCancelled           raised *inside* a running call that was cancelled; callers see CancelledError
    ├── RemoteError             the function's own exception, which could not travel: type name, text, traceback
    │   ├── MethodNotFound      the service has no such method (an AttributeError)
    │   ├── ArgumentError       arguments that the method does not take; it did not run (a TypeError)
    │   └── MaybeEncodingError  the function's result, which nothing can pickle (defined in `elsewhere.runtime.compat`)
    ├── ProtocolError           the far side sent something that is no message of ours
    │   └── MessageTooLarge     a message above the limit; knows its size and the limit (a ValueError)
    └── InternalError           a bug in elsewhere: please report it

An exception that the function itself raised is none of these: it arrives as its own type, with its attributes, the
remote traceback as its cause, and a note that names the call. Waiting that ends too early
(``future.result(timeout=1)``) raises the standard library's ``TimeoutError`` and stops only the waiting.
"""

import signal

__all__ = [
    "ArgumentError",
    "CallCancelled",
    "CallTimeout",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionLost",
    "ElsewhereError",
    "HostKeyError",
    "InternalError",
    "LimitExceeded",
    "MayHaveRun",
    "MessageTooLarge",
    "MethodNotFound",
    "NeverStarted",
    "NotTouched",
    "PoolClosed",
    "ProtocolError",
    "RemoteError",
    "SocketTimeout",
    "TooLate",
    "Unauthorized",
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


class ConnectError(NeverStarted, ConnectionError):
    """No connection to an address could be had, so nothing was sent.

    Attributes:
        address: the address, as a URL.
        phase: what failed: ``"resolve"``, ``"connect"``, ``"handshake"`` (of TLS or SSH), ``"host key"`` or
            ``"greeting"``.
    """

    def __init__(self, message: str = "", *, address: str = "", phase: str = "") -> None:
        super().__init__(message)
        self.address = address
        self.phase = phase


class ConnectTimeout(ConnectError, TimeoutError):
    """No connection to an address could be had within the time."""


class HostKeyError(ConnectError):
    """A host has shown a key that is not believed, so nothing was sent to it.

    Attributes:
        fingerprint: of the key, as ``ssh-keygen -l`` shows it: ``"SHA256:..."``.
        key: the key itself, as a line of known_hosts has it: its type and base64.
        changed: another key is known of this host. Either it was set up anew, or somebody is in between.
    """

    def __init__(
        self, message: str = "", *, address: str = "", fingerprint: str = "", key: str = "", changed: bool = False
    ) -> None:
        super().__init__(message, address=address, phase="host key")
        self.fingerprint = fingerprint
        self.key = key
        self.changed = changed


class Unauthorized(NeverStarted, PermissionError):
    """The far side wants a token or a login, or another one than it was given. No message of ours ever shows one."""


class NotTouched(NeverStarted):
    """A host was left alone: as many others as ``max_failures`` had failed before its turn, or the work was ended."""


class MayHaveRun(ElsewhereError):
    """The call may have run, in part or whole: repeat it only if that does no harm."""


class WorkerLost(MayHaveRun):
    """The worker died while it ran this call.

    Attributes:
        exitcode: the process's exit status; negative for a signal's number, None when it is not known.
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
        """The signal's name such as ``"SIGKILL"``; None if it was none, or is not known."""
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


class ConnectionLost(MayHaveRun, ConnectionError):
    """The connection ended while something was under way: the far side may or may not have seen all of it.

    Attributes:
        address: the address, as a URL.
        phase: what was under way, such as ``"recv"``, ``"send"``, ``"call"``.
    """

    def __init__(self, message: str = "", *, address: str = "", phase: str = "") -> None:
        super().__init__(message)
        self.address = address
        self.phase = phase


class TooLate(ElsewhereError):
    """The call did not end in the time it was given."""


class CallTimeout(TooLate, TimeoutError):
    """The call ran longer than its own timeout and was stopped.

    Inside the function it is raised first, so that ``finally`` and ``with`` run; the worker is killed if it
    does not come back within the pool's ``grace``.
    """


class SocketTimeout(TooLate, TimeoutError):
    """A read or write of a connection took longer than it was given; the connection itself goes on.

    Attributes:
        address: the address, as a URL.
        phase: what was under way: ``"recv"`` or ``"send"``.
    """

    def __init__(self, message: str = "", *, address: str = "", phase: str = "") -> None:
        super().__init__(message)
        self.address = address
        self.phase = phase


class CallCancelled(ElsewhereError):
    """Raised inside a running call whose future was cancelled, so that ``finally`` and ``with`` run."""


class RemoteError(ElsewhereError):
    """The function's own exception, in words, because the exception itself could not travel.

    Attributes:
        type_name: the exception's qualified type name, such as ``"mymodule.MyError"``; "" if it is not told.
        text: ``str()`` of the exception.
        traceback: the remote traceback as text; "" if it is not told.
        data: what a service's answer carried: the error object of the wire, as it was decoded.
    """

    def __init__(
        self, message: str = "", *, type_name: str = "", text: str = "", traceback: str = "", data: object = None
    ) -> None:
        super().__init__(message)
        self.type_name = type_name
        self.text = text
        self.traceback = traceback
        self.data = data


class MethodNotFound(RemoteError, AttributeError):
    """The service has no method of this name; nothing has run."""


class ArgumentError(RemoteError, TypeError):
    """The method does not take these arguments; it has not run. The text names the parameter and the expected type."""


class ProtocolError(ElsewhereError):
    """The far side sent something that is no message of ours."""


class MessageTooLarge(ProtocolError, ValueError):
    """A message, or a datagram, is larger than the limit.

    Attributes:
        size: its bytes, as far as they are known.
        limit: the most that was allowed, in bytes.
    """

    def __init__(self, message: str = "", *, size: int = 0, limit: int = 0) -> None:
        super().__init__(message)
        self.size = size
        self.limit = limit


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

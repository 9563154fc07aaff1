"""Which failed calls are made again.

What is repeated without being asked for: a call that certainly never started because its connection turned out to be
gone, and one of a method that is idempotent (its service says so, or `options(idempotent=True)`). `Retry` asks for
more: the errors of the method itself. A call that may have run and is not idempotent is repeated only if the `Retry`
names the error for it, such as ``Retry(2, on=ConnectionLost)``.
"""

from __future__ import annotations

from collections.abc import Callable

from elsewhere.errors import (
    ArgumentError,
    CallTimeout,
    ConnectError,
    ElsewhereError,
    MayHaveRun,
    MethodNotFound,
    NeverStarted,
    ProtocolError,
    RemoteError,
    Unauthorized,
)
from elsewhere.rpc.calling.terms import Call, Terms

__all__ = ["FIRST_PAUSE", "UNASKED", "pause", "postponed"]

UNASKED = 2  # repeats of what may be repeated
FIRST_PAUSE = 0.05  # seconds before a service that has just said no is asked again


def pause(error: ElsewhereError, terms: Terms, failures: int, idempotent: Callable[[], bool]) -> float | None:
    """Seconds until a call is made again; None if it is not.

    Args:
        error: how it has ended.
        terms: of the call.
        failures: how often it has failed.
        idempotent: does the far side say that the method is? It is asked only where that matters.
    """
    if isinstance(error, (Unauthorized, MethodNotFound, ArgumentError)):
        return None
    may_have_run = isinstance(error, (MayHaveRun, CallTimeout, ProtocolError))
    retry = terms.retry
    if retry is not None and retry.wants(error, failures):
        named = any(isinstance(error, kind) for kind in retry.on if kind not in {Exception, BaseException})
        if named or not may_have_run or terms.idempotent or idempotent():
            return retry.delay(failures)
    if failures > UNASKED or isinstance(error, (CallTimeout, ProtocolError, RemoteError)):
        return None
    if isinstance(error, ConnectError) and error.phase != "call":
        return None  # there was no connection at all: whoever calls should know
    if isinstance(error, NeverStarted) or (may_have_run and (terms.idempotent or idempotent())):
        return 0.0 if isinstance(error, ConnectionError) else FIRST_PAUSE  # not its connection: what is there now
    return None


def postponed(call: Call, seconds: float, now: float) -> bool:
    """Is a call of a future made again, after this pause? With a `Retry` its time then begins anew.

    Args:
        call: it has failed.
        seconds: as `pause` says.
        now: of `time.monotonic`.
    """
    if call.terms.retry is None and now + seconds >= call.deadline:
        return False
    if call.terms.retry is not None:
        call.began = now + seconds
        call.deadline = call.began + call.terms.limit
    return True

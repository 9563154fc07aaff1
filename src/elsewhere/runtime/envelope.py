"""How an error comes back: as itself if it can, in words if it cannot, and always with the way it took.

Rule: opening an envelope never raises.
"""

from __future__ import annotations

import contextlib
import pickle

from elsewhere.errors import RemoteError
from elsewhere.runtime.packing import loads_result

__all__ = ["open_envelope", "tell_way", "words"]


def open_envelope(data: bytes, name: str, index: int | None, pid: int | None) -> tuple[BaseException, float]:
    """The error a worker sent, and the seconds its call took.

    Args:
        data: from `elsewhere.runtime.worker.loop.Loop.envelope`.
        name: what the call is called here.
        index: which input of its job it was; None where there is no such thing.
        pid: the worker's process id.
    """
    body, kind, text, trace, call, seconds = pickle.loads(data)
    if not trace:
        from elsewhere.runtime.compat import MaybeEncodingError

        error: BaseException = MaybeEncodingError(*text)
    else:
        error = _load(body, kind, text, trace)
    tell_way(error, trace or None, call, name, index, f"worker {pid}")
    return error, seconds


def tell_way(error: BaseException, trace: str | None, call: str, name: str, index: int | None, place: str) -> None:
    """Give an error the traceback from where it was raised as its cause, and a note about which call that was.

    Args:
        trace: the traceback; None for none.
        call: the call as its worker describes it.
        name: what the call is called here.
        index: which input of its job it was; None where there is no such thing.
        place: where it ran, such as ``"worker 123"``.
    """
    if trace is not None:
        from elsewhere.runtime.compat import RemoteTraceback

        # Not by plain assignment, which an exception class may forbid.
        BaseException.__setattr__(error, "__cause__", RemoteTraceback(f'\n"""\n{trace}"""'))
    called = call if call.startswith(name) or index is None else f"{name}: {call}"
    with contextlib.suppress(Exception):  # an exception class may forbid it; the note is a courtesy
        error.add_note(f"raised by {called}{'' if index is None else f', input {index}'}, in {place}")


def _load(body: bytes | None, kind: str, text: str, trace: str) -> BaseException:
    why = "it could not be pickled"
    if body is not None:
        try:
            error = loads_result(body)
            if isinstance(error, BaseException):
                return error
            why = f"it came back as a {type(error).__name__}"
        except BaseException as failure:  # noqa: BLE001 - an exception's own constructor runs here, and may raise anything
            why = f"it could not be unpickled: {type(failure).__name__}: {words(failure)}"
    return RemoteError(f"{kind}: {text} ({why})", type_name=kind, text=text, traceback=trace)


def words(error: BaseException) -> str:
    """Its text; never raises, as its own ``__str__`` may."""
    try:
        return str(error)
    except BaseException as failure:  # noqa: BLE001 - the user's own code runs here
        return f"<no text: {type(failure).__name__}>"

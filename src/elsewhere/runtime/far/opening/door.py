"""Values and errors from a host, as the caller gets them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from io import BytesIO
from typing import Any

from elsewhere.errors import ProtocolError, RemoteError
from elsewhere.runtime.envelope import tell_way, words

from .gate import is_simple, too_deep
from .known import arrays
from .known.containers import FRAGILE
from .machine import Malformed, Refused
from .opcodes import load
from .world import FAR, HostWorld, PlainWorld

__all__ = ["Opening"]

CURE = (
    "What comes back from a host may be plain values and containers, dates, paths, numpy arrays, Python's own errors "
    "and classes of yours that were sent there; trust=True in code opens everything, and the host may run anything here"
)
MAYBE_ENCODING = "MaybeEncodingError"  # what a worker calls a result that nothing can pickle
LONGEST = 1e9  # seconds that a call may say it took


class Opening:
    """Opens what a far worker answers.

    Args:
        shipped: the caller's own class with a token, or None; see `packing.Packer.shipped`.
        own: is this a module of the caller's that a host may know of? See `packing.Packer.own`.
        trust: open everything, as `pickle.loads` does: whoever owns the host can then run anything here.
    """

    def __init__(self, shipped: Callable[[str], type | None], own: Callable[[str], bool], *, trust: bool) -> None:
        self._shipped = shipped
        self._own = own
        self._trust = trust

    def value(self, data: bytes | bytearray | memoryview) -> Any:
        """The value of a call.

        Raises:
            RemoteError: it is of a type that is not opened, which the error names.
            ProtocolError: it is no pickle at all.
        """
        try:
            return self._open(data)
        except Refused as refused:
            text = f"the host answered with a {refused.name}, which is not opened: {refused.why}"
            raise RemoteError(f"{text}. {CURE}", type_name=refused.name, text=text) from refused.__cause__
        except Malformed as malformed:
            raise ProtocolError(f"the host answered with what is no value: {malformed}") from malformed.__cause__
        except Exception as failure:
            text = f"the host's answer cannot be opened: {type(failure).__name__}: {words(failure)}"
            raise RemoteError(text, type_name=type(failure).__qualname__, text=words(failure)) from failure

    def plain(self, data: bytes | bytearray | memoryview) -> Any:
        """A plain value: numbers, text, bytes, and tuples, lists, dictionaries and sets of them.

        Raises:
            ProtocolError: it holds anything else.
        """
        try:
            if is_simple(data) and not too_deep(data, value := _loads(data)):
                return value
            return load(data, PlainWorld(), frozenset())
        except Exception as failure:  # noqa: BLE001 - whatever it is, the host has sent it
            what = failure.name if isinstance(failure, Refused) else failure
            raise ProtocolError(f"the host sent what is no plain value: {what}") from None

    def error(
        self, data: bytes | bytearray | memoryview, name: str, index: int | None, place: str
    ) -> tuple[BaseException, float]:
        """The error of a call and the seconds it took; never raises.

        Args:
            data: the payload of an ERROR or FAILED frame.
            name: what the call is called here.
            index: which input of its job it was; None where there is no such thing.
            place: where it ran: ``"worker 123 on web1"``.
        """
        try:
            body, kind, text, trace, call, seconds = self.plain(data)
            _check(body, kind, text, trace, call)
        except Exception as failure:  # noqa: BLE001 - whatever the host sent, the call ends in an error
            error: BaseException = RemoteError(
                f"{name} failed in {place}, which sent an error that cannot be read: {words(failure)}"
            )
            return error, 0.0
        if type(text) is tuple:
            from elsewhere.runtime.compat import MaybeEncodingError

            error = MaybeEncodingError(*text)
        else:
            error = self._load(body, kind, text, trace)
        tell_way(error, trace if type(text) is str else None, call, name, index, place)
        return error, _seconds(seconds)

    def _load(self, body: bytes | None, kind: str, text: str, trace: str) -> BaseException:
        why = "it could not be pickled"
        if body is not None:
            try:
                error = self._open(body)
                if isinstance(error, BaseException):
                    return error
                why = f"it came back as a {type(error).__name__}"
            except Refused as refused:
                why = f"{refused.name} is not opened: {refused.why}; trust=True in code opens everything"
            except BaseException as failure:  # noqa: BLE001 - with trust=True anything runs here, and may raise anything
                why = f"it could not be opened: {type(failure).__name__}: {words(failure)}"
        return RemoteError(f"{kind}: {text} ({why})", type_name=kind, text=text, traceback=trace)

    def _open(self, data: bytes | bytearray | memoryview) -> Any:
        if self._trust:
            try:
                return _Trusting(data, self._shipped).load()
            except (SystemExit, GeneratorExit) as error:  # of a constructor, and no end of this program
                raise Refused(type(error).__name__, f"making it raises {type(error).__name__}") from error
        if is_simple(data):
            value = _loads(data)
            if not too_deep(data, value):
                return value
        return load(data, HostWorld(self._shipped, self._own), FRAGILE | arrays.fragile())


def _loads(data: bytes | bytearray | memoryview) -> Any:
    """What has passed the gate; what Python's own pickle cannot read is no pickle."""
    try:
        return pickle.loads(data)
    except (MemoryError, RecursionError):
        raise
    except Exception as failure:  # noqa: BLE001 - pickle's own errors are of many types
        raise Malformed(f"{type(failure).__name__}: {failure}") from None


class _Trusting(pickle.Unpickler):
    """Everything; the worker's name for a shipped class means the caller's own."""

    def __init__(self, data: bytes | bytearray | memoryview, shipped: Callable[[str], type | None]) -> None:
        super().__init__(BytesIO(data))
        self._shipped = shipped

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (FAR, "shipped"):
            return self._by_token
        return super().find_class(module, name)

    def _by_token(self, token: str) -> type:
        cls = self._shipped(token)
        if cls is None:
            raise Refused("class", "the host says that it was sent there, and it was not")
        return cls


def _check(body: Any, kind: Any, text: Any, trace: Any, call: Any) -> None:
    """Is it what `envelope` in the worker makes?"""
    fits = type(text) is str
    if kind == MAYBE_ENCODING and not trace:
        fits = type(text) is tuple and [type(part) for part in text] == [str, str]
    if not fits or type(body) not in (bytes, type(None)) or any(type(one) is not str for one in (kind, trace, call)):
        raise Malformed("an error of another shape")


def _seconds(told: Any) -> float:
    """What the host says the call took, as long as it is a time."""
    return float(told) if type(told) in (int, float) and 0 <= told < LONGEST else 0.0  # a NaN is not, either

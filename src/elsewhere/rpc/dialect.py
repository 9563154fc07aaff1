"""What our own peers say to each other beyond MessagePack-RPC, in words that every peer of that protocol survives.

Rule: all of it is ordinary requests and notifications under names that begin with ``rpc.``. A peer that does not know
them answers an error, as the specification wants, and is spoken to plainly from then on. Nothing is sent before that
which a plain peer would find unusual.

::

    request  rpc.hello    [{"version", "name", "features", "token", "timeout"}]  →  the same of the other side
    request  rpc.call     [method, args, kwargs, {"timeout": seconds left}]  →  the method's result
    request  rpc.methods  []  →  [{"name", "signature", ...}]
    notify   rpc.cancel   [msgid]; the answer is an error of kind "cancelled"

A call without keywords, and with the time limit that the hello has announced, is a plain request. The error of an
answer is a str to plain peers, and to our own a map::

    {"kind": "error", "type": "builtins.ValueError", "message": "bad", "traceback": "...", "data": ...}

`kind` says what the caller can do: see `KINDS`. Docs: docs/msgpack-rpc.md.
"""

from __future__ import annotations

import traceback as _traceback
from concurrent.futures import CancelledError
from typing import Any

from elsewhere.errors import (
    ArgumentError,
    CallCancelled,
    CallTimeout,
    ElsewhereError,
    MayHaveRun,
    MethodNotFound,
    NeverStarted,
    RemoteError,
    Unauthorized,
)

__all__ = [
    "CALL", "CANCEL", "FEATURES", "HELLO", "KINDS", "METHODS", "RESERVED", "VERSION",
    "described", "plainly", "raised", "type_name", "unfolded",
]  # fmt: skip

RESERVED = "rpc."  # no method of a user's may begin so
HELLO, CALL, CANCEL, METHODS = "rpc.hello", "rpc.call", "rpc.cancel", "rpc.methods"
VERSION = 1
FEATURES = ("call", "cancel", "methods")  # what this version of us understands beyond the hello itself
# The kind of an error → what it is raised as. "error" is the function's own exception.
KINDS: dict[str, type[Exception]] = {
    "error": RemoteError,
    "method": MethodNotFound,
    "arguments": ArgumentError,
    "timeout": CallTimeout,
    "cancelled": CancelledError,
    "token": Unauthorized,
    "never": NeverStarted,  # the service is closing, or has too much to do: it has not run and will not
    "lost": MayHaveRun,  # the process that ran it died
}


def type_name(error: BaseException) -> str:
    """``"mymodule.MyError"``."""
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}"


def plainly(error: BaseException) -> str:
    """The error of an answer to a peer of another make: one str."""
    text = str(error)
    if isinstance(error, ElsewhereError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def described(error: BaseException, *, traceback: bool = False) -> dict[str, Any]:
    """The error of an answer to a peer of our own.

    Args:
        error: what was raised.
        traceback: send its traceback too, which shows source lines and paths of this machine.
    """
    kind = next((name for name, cls in KINDS.items() if name != "error" and isinstance(error, cls)), "error")
    if isinstance(error, CallCancelled):
        kind = "cancelled"
    told: dict[str, Any] = {"kind": kind, "type": type_name(error), "message": str(error)}
    if isinstance(error, RemoteError):  # raised by a handler on purpose, to send data
        told["type"] = error.type_name or told["type"]
        if error.data is not None:
            told["data"] = error.data
    if traceback:
        told["traceback"] = "".join(_traceback.format_exception(error))
    return told


def unfolded(params: list[Any]) -> tuple[str, list[Any], dict[str, Any], Any]:
    """Method, arguments and options of an `rpc.call`.

    Raises:
        ArgumentError: they are none.
        MethodNotFound: it is one of a reserved name.
    """
    name, args, kwargs, options = ([*params, {}, {}] if 2 <= len(params) <= 4 else [None] * 4)[:4]
    if not (isinstance(name, str) and isinstance(args, list) and isinstance(kwargs, dict)):
        raise ArgumentError(f"{CALL} takes [method, args, kwargs, options]")
    if name.startswith(RESERVED):
        raise MethodNotFound(f"{name!r:.200} method not found")
    return name, args, kwargs, options


def raised(error: Any, method: str, address: str) -> Exception:
    """The exception for the error of an answer, from whatever peer.

    Args:
        error: as it was decoded; a peer may send anything but nil.
        method: what was called.
        address: where.
    """
    where = f"{method} at {address}"
    if not (isinstance(error, dict) and isinstance(error.get("kind"), str) and error["kind"] in KINDS):
        text = _text_of(error)
        return RemoteError(f"{where}: {text}", text=text, data=error)
    message, kind = _str(error.get("message")), KINDS[error["kind"]]
    if not issubclass(kind, RemoteError):
        return kind(f"{where}: {message}")
    type_ = _str(error.get("type"))
    short = "" if kind is not RemoteError else f"{type_.removeprefix('builtins.')}: "
    text, remote = f"{where}: {short}{message}", _str(error.get("traceback"))
    found = kind(text, type_name=type_, text=message, traceback=remote, data=error.get("data"))
    if remote:
        found.add_note(f"\nThe traceback of the service:\n{remote}")
    return found


def _str(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _text_of(error: Any) -> str:
    """In words: a str, bytes as Ruby sends, ``[type, message]`` as Neovim does, or whatever it is."""
    if isinstance(error, str):
        return error
    if isinstance(error, bytes):
        return error.decode("utf-8", "replace")
    if isinstance(error, list) and len(error) == 2 and isinstance(error[1], (str, bytes)):
        return _text_of(error[1])
    return repr(error)

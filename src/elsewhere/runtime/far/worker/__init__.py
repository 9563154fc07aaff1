"""The far worker: the package that is shipped to a plain Python on another machine, and runs calls there.

The law of the folder: the standard library only, Python 3.8 to 3.14, only relative imports of each other, and nothing
is written on that machine. There it is the package ``elsewhere_far``, and the functions in this file are the ones that
pickles name. The caller's side imports the frames from here, and nothing else.

::

    stdin ─> Frames ─> Line: queue ─> Worker: fn(...) ─> one frame for each answer, written before the next call begins
"""

from __future__ import annotations

import pickle
from typing import Any, NoReturn

from .wire import (
    ASK,
    BATCHED,
    BOTH,
    COUNT,
    DUMP,
    ERROR,
    EXIT,
    FAILED,
    FORGET,
    FUNCTION,
    HEADER,
    HELLO,
    INTERRUPT,
    LARGEST,
    LOG,
    MODULE,
    ONE,
    ORDINAL,
    OUTPUT,
    RANGE,
    READY,
    RECORD,
    RELEASED,
    RUN,
    SETUP,
    SHAPE,
    SHARE,
    SKIP,
    SKIPPED,
    STACKS,
    STAR,
    STDERR,
    STDOUT,
    UNSHARE,
    VALUE,
    WARNING,
    WITHDRAW,
    Frames,
    frame,
    header,
)

__all__ = [
    "ASK",
    "BATCHED",
    "BOTH",
    "COUNT",
    "DUMP",
    "ERROR",
    "EXIT",
    "FAILED",
    "FORGET",
    "FUNCTION",
    "HEADER",
    "HELLO",
    "INTERRUPT",
    "LARGEST",
    "LOG",
    "MODULE",
    "ONE",
    "ORDINAL",
    "OUTPUT",
    "RANGE",
    "READY",
    "RECORD",
    "RELEASED",
    "RUN",
    "SETUP",
    "SHAPE",
    "SHARE",
    "SKIP",
    "SKIPPED",
    "STACKS",
    "STAR",
    "STDERR",
    "STDOUT",
    "UNSHARE",
    "VALUE",
    "WARNING",
    "WITHDRAW",
    "Frames",
    "frame",
    "header",
    "keep_class",
    "refuse",
    "shared",
    "shipped",
]

_classes: dict[str, type] = {}
tokens: dict[type, str] = {}  # of classes that were shipped
objects: dict[int, list[Any]] = {}  # shared ones: token -> [body, object]; the body goes when the object is made


def keep_class(token: str, cls: type) -> type:
    """A class that the caller has sent: in results it is named by its token."""
    _classes[token], tokens[cls] = cls, token
    return cls


def shipped(token: str) -> type:
    """The class with that token; in results it stands for the caller's own."""
    return _classes[token]


def shared(token: int) -> Any:
    """The object that was sent under that token, made when it is first asked for."""
    entry = objects.get(token)
    if entry is None:
        raise pickle.UnpicklingError(f"the shared object {token} is not here (any more)")
    if entry[0] is not None:
        entry[1] = pickle.loads(entry[0])
        entry[0] = None
    return entry[1]


def refuse(text: str) -> NoReturn:
    """Called by what the caller sends instead of a function that cannot travel to this Python."""
    raise TypeError(text)

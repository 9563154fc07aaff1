"""Results: worker to caller, where a name of `__main__` is a name the caller has.

The law of the file: loading a result binds no name and sets no attribute of anything the caller had before. Functions
and classes that came from the caller go back as references to the caller's own objects; what was made in the worker is
made anew.
"""

from __future__ import annotations

import pickle
from typing import Any

from elsewhere.runtime import issued
from elsewhere.runtime.memory.buffers import Collector, whole

from .packer import CONNECTION

__all__ = ["dumps_result", "loads_result"]


def dumps_result(value: Any, buffers: Collector | None = None) -> bytes:
    """A function's result or exception as bytes for `loads_result`.

    Args:
        value: what is sent.
        buffers: takes the large buffers that are not to be in the bytes; None to have them there.

    Raises:
        Exception: what the by-value pickler raised, when nothing can pickle it.
    """
    take = None if buffers is None else buffers.take
    mark = issued.mark()
    try:
        if buffers is not None:
            value = whole(value)
        body = pickle.dumps(value, 5, buffer_callback=take)
    except Exception:  # noqa: BLE001 - pickling runs the user's code, which may raise anything
        pass
    else:
        if CONNECTION not in body:
            return body
    if buffers is not None:
        buffers.clear()
    issued.take_back(mark)
    from .returning import dumps

    return dumps(value, take)


def loads_result(body: bytes) -> Any:
    """The result, in the caller."""
    return pickle.loads(body)

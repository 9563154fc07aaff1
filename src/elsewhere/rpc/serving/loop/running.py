"""Coroutines on a loop that answer calls.

Rule: asyncio is imported here, and not by services that have no use for it: it takes as long to load as all else.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from concurrent.futures import CancelledError
from typing import Any

from elsewhere.rpc.serving.call import Call
from elsewhere.rpc.serving.caller import current

__all__ = ["begin"]

EAGERLY: dict[str, Any] = {"eager_start": True} if sys.version_info >= (3, 12) else {}


def begin(loop: asyncio.AbstractEventLoop, call: Call, args: list[Any], kwargs: dict[str, Any]) -> None:
    """On the loop: begin the method; `call` is answered when it has ended."""
    if call.over:
        return
    context = contextvars.copy_context()
    context.run(current.set, call)
    try:
        value = context.run(call.method.fn, *args, **kwargs)
        if not asyncio.iscoroutine(value):
            call.session.finish(call, value, None)
            return
        # From Python 3.12 on it begins at once: one that does not wait needs no turn of the loop.
        task = asyncio.Task(value, loop=loop, context=context, **EAGERLY)
    except BaseException as error:  # noqa: BLE001 - it is the caller's, whatever it is
        call.session.finish(call, None, error)
        return
    if task.done():
        _ended(call, task)
        return
    task.add_done_callback(lambda task: _ended(call, task))
    call.stopped_by(lambda: loop.call_soon_threadsafe(task.cancel))


def _ended(call: Call, task: asyncio.Task[Any]) -> None:
    if task.cancelled():
        call.session.finish(call, None, CancelledError("the service has stopped it"))
        return
    error = task.exception()
    call.session.finish(call, None if error else task.result(), error)

"""A loop, and coroutines on it that answer calls.

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

__all__ = ["begin", "new_loop", "run_loop"]

EAGERLY: dict[str, Any] = {"eager_start": True} if sys.version_info >= (3, 12) else {}
PATIENCE = 0.5  # seconds for coroutines that were cancelled to end


def new_loop() -> asyncio.AbstractEventLoop:
    """Uvloop's where that is installed, asyncio's else."""
    try:
        import uvloop
    except ImportError:
        return asyncio.SelectorEventLoop()  # also on Windows, whose own default watches no plain sockets
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def run_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Run it until it is stopped, and leave nothing."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:  # one that goes on after it was cancelled does not hold up the end
            loop.run_until_complete(asyncio.wait(tasks, timeout=PATIENCE))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()


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

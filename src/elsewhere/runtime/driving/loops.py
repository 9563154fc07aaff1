"""An asyncio loop for a thread of ours.

Rule: asyncio is imported where this is, and not by what has no use for it: it takes as long to load as all else.
"""

from __future__ import annotations

import asyncio
import os

__all__ = ["new_loop", "run_loop"]

PATIENCE = 0.5  # seconds for coroutines that were cancelled to end
ROOM = 10  # descriptors: a loop of uvloop's that runs takes nine


def new_loop() -> asyncio.AbstractEventLoop:
    """Uvloop's where that is installed, asyncio's else.

    Raises:
        OSError: the process has too many files open.
    """
    try:
        import uvloop
    except ImportError:
        return asyncio.SelectorEventLoop()  # also on Windows, whose own default watches no plain sockets
    _look_for_room()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _look_for_room() -> None:
    """Libuv ends the process if it gets some of the descriptors that it needs, and not the others."""
    held: list[int] = []
    try:
        for _ in range(ROOM):
            held.append(os.open(os.devnull, os.O_RDONLY))  # noqa: PERF401 - what was opened before an error is closed
    except OSError as error:
        raise OSError(error.errno, error.strerror) from None  # which file it was is nobody's concern
    finally:
        for fd in held:
            os.close(fd)


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
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()

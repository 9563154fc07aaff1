"""Work on files in a thread, which a coroutine never leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["given_up", "in_thread"]

T = TypeVar("T")


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Run it in a thread, and wait for its end.

    Who is cancelled meanwhile waits for it all the same: what it works on is closed and removed next, and the number of
    a file may then be another file's. So it is nothing that takes long.
    """
    future = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # nobody is left who would be told
        raise


async def given_up(work: asyncio.Future[Any]) -> None:
    """Nobody wants what comes of it: wait for its end, if that is not behind it."""
    work.cancel()
    await asyncio.wait([work])
    if not work.cancelled():
        work.exception()

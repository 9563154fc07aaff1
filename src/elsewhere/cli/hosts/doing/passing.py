"""One host's command between pipes: its input comes from stdin while it runs, and what it writes is kept nowhere."""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

from elsewhere.fleet import Fleet, Host
from elsewhere.fleet.commands import run as commands
from elsewhere.fleet.commands.prepare import prepare

__all__ = ["passed_on", "pieces"]

PIECE = 64 << 10  # bytes
AHEAD = 16  # pieces that wait to be sent


def passed_on(
    fleet: Fleet, command: str | list[str], options: dict[str, Any], *, stdin: int | None, **more: Any
) -> Mapping[Host, Any]:
    """`Fleet.run`, on a fleet of one host, without output in the result.

    Args:
        fleet: of one.
        command, options: as `Fleet.run` takes them.
        stdin: a descriptor that is its input; None for none.
        more: who is told what happens.
    """
    prepared = prepare(command, **options)

    async def work(host: Host, sink: Any) -> Any:
        source = None if stdin is None else pieces(stdin)
        return await commands.run(host, prepared, sink, source=source, keep=False)

    return fleet._do("run", work, return_exceptions=True, **more)


async def pieces(fd: int) -> AsyncIterator[bytes]:
    """What comes on a descriptor, read as it is asked for.

    By a thread that nothing waits for, because a read of a pipe or a terminal cannot be broken off: the command may
    end long before its input does.
    """
    loop = asyncio.get_running_loop()
    came: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    room = threading.Semaphore(AHEAD)

    def read() -> None:
        while True:
            room.acquire()
            try:
                data: bytes | OSError = _read(fd)
            except OSError as error:
                data = error
            try:
                loop.call_soon_threadsafe(came.put_nowait, data)
            except RuntimeError:  # the loop has ended
                return
            if not data or isinstance(data, OSError):
                return

    threading.Thread(target=read, name="elsewhere-stdin", daemon=True).start()
    while data := await came.get():
        if isinstance(data, OSError):
            raise data
        yield data
        room.release()


def _read(fd: int) -> bytes:
    while True:
        try:
            return os.read(fd, PIECE)
        except BlockingIOError:  # somebody who has it, too, has made it so
            select.select([fd], [], [])

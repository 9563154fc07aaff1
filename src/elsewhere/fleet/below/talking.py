"""A command on a host, whose output its caller is given while it comes, in its own thread."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from elsewhere.fleet.commands import run as commands
from elsewhere.fleet.commands import sudo as sudoing
from elsewhere.fleet.commands.prepare import prepare
from elsewhere.fleet.commands.sudo import Sudo, prepare_sudo
from elsewhere.fleet.engine import GRACE, engine

if TYPE_CHECKING:
    from typing import Unpack

    from elsewhere.fleet.host import Host
    from elsewhere.fleet.options import CommandOptions
    from elsewhere.fleet.results import Result

__all__ = ["Feed", "live"]

Came = Callable[[str, bytes], None]


class Feed:
    """What a command reads, given to it bit by bit by any thread."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    def send(self, data: bytes | None) -> None:
        """Let it read this; None is the end."""
        engine().loop.call_soon_threadsafe(self._pieces.put_nowait, data)

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it; for the loop."""
        while (piece := await self._pieces.get()) is not None:
            yield piece


def live(
    host: Host,
    command: str,
    came: Came,
    *,
    feed: Feed | None = None,
    sudo: Mapping[str, Any] | None = None,
    **options: Unpack[CommandOptions],
) -> Result:
    """Run a command, and wait for its end; the result has no output, as `came` was given that.

    Args:
        host: where.
        command: what.
        came: is given ``"stdout"`` or ``"stderr"`` and what came, in the thread that called this one. What it raises
            ends the command.
        feed: what it reads; nothing, or the ``input`` that is given, by default.
        sudo: run it under sudo, with these of its options: ``user``, ``group``, ``password``.
        options: as `Host.run` takes them.

    Raises:
        As `Host.run` and `Host.sudo` do.
    """
    if feed is not None:
        options["input"] = b""  # it has an input, though what that is comes bit by bit
    try:
        prepared = prepare(command, **options) if sudo is None else prepare_sudo(command, **sudo, **options)
    finally:
        sudo = None  # its password shows in no traceback from here on
    told: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()

    def sink(name: str, data: bytes) -> None:
        told.put((name, data))

    async def whole() -> Result:
        source = None if feed is None else feed.pieces()
        try:
            if isinstance(prepared, Sudo):
                return await sudoing.run(host, prepared, sink, source=source, keep=False)
            return await commands.run(host, prepared, sink, source=source, keep=False)
        finally:
            told.put(None)

    future = engine().submit(whole)
    try:
        while (piece := told.get()) is not None:
            came(*piece)
        return future.result()
    except BaseException:
        if not future.done() and future.cancel():
            _drain(told)
        raise


def _drain(told: queue.SimpleQueue[Any]) -> None:
    """Until what was cancelled has ended on the far side, too, or that takes too long."""
    try:
        while told.get(timeout=GRACE) is not None:
            pass
    except queue.Empty:
        return

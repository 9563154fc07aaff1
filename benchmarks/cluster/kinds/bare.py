"""asyncssh itself: a channel that is kept open, with somebody at its other end who sends back what comes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from benchmarks.cluster.kinds.base import Kind

PATIENCE = 60.0  # seconds for one trip
MESSAGE = bytes(40)  # about what a call of ours is


class Cat(Kind):
    """`cat` at the other end, in asyncio's own loop, by asyncssh's streams."""

    there = "cat"

    def open(self) -> None:
        import asyncssh

        async def opened() -> tuple[Any, Any]:
            connection = await asyncssh.connect(self.host, **connect_options(self.config))
            return connection, await connection.create_process(self.there, encoding=None)

        self.loop = asyncio.new_event_loop()
        self.connection, self.process = self.loop.run_until_complete(opened())
        assert self.one(10) == 10

    def close(self) -> None:
        async def closed() -> None:
            self.connection.close()
            await self.connection.wait_closed()

        self.loop.run_until_complete(closed())
        self.loop.close()

    def one(self, calls: int) -> int:
        async def each() -> int:
            return sum([await self.trip() for _ in range(calls)])

        return self.loop.run_until_complete(each())

    async def trip(self) -> int:
        """There and back."""
        self.process.stdin.write(MESSAGE)
        await self.process.stdout.readexactly(len(MESSAGE))
        return abs(-1)  # the function's own time


class Python(Cat):
    """A loop in Python at the other end: the least that a worker is."""

    there = f"""exec python3 -u -c '
import os
while data := os.read(0, {len(MESSAGE)}):
    os.write(1, data)
'"""


class Threaded(Python):
    """The same for a program that waits in a thread of its own: asyncssh's loop is in another."""

    def open(self) -> None:
        super().open()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)

    def one(self, calls: int) -> int:
        if not self.loop.is_running():  # it is being opened
            return super().one(calls)
        return sum(asyncio.run_coroutine_threadsafe(self.trip(), self.loop).result(PATIENCE) for _ in range(calls))


def connect_options(config: dict[str, Any]) -> dict[str, Any]:
    """Nothing of who runs this decides how a host is reached."""
    return {
        "username": config["user"],
        "port": config["port"],
        "client_keys": [config["key"]],
        "known_hosts": config["known_hosts"],
        "config": None,
        "agent_path": None,
    }

"""asyncssh itself, as a program of a few lines uses it: all at once, no time limits, nobody who watches."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.fleet.kinds.base import Answered, Kind


class Asyncssh(Kind):
    """On asyncio's own loop."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.loop = self.new_loop()
        asyncio.set_event_loop(self.loop)

    @staticmethod
    def new_loop() -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    @property
    def options(self) -> dict[str, Any]:
        return {
            "username": self.user,
            "port": self.port,
            "client_keys": [self.key],
            "known_hosts": self.known_hosts,
            "config": None,
            "agent_path": None,
        }

    def warm_up(self) -> None:
        self.cold(1)

    def cold(self, most: int | None = None) -> Answered:
        import asyncssh

        async def one(host: str) -> asyncssh.SSHClientConnection:
            connection = await asyncssh.connect(host, **self.options)
            await connection.run("true", check=True)
            return connection

        async def everyone() -> Answered:
            connections = await asyncio.gather(*map(one, self.hosts[:most]))
            answered = Answered.now()
            for connection in connections:
                connection.close()
            await asyncio.gather(*(connection.wait_closed() for connection in connections))
            return answered

        return self.loop.run_until_complete(everyone())

    def open(self) -> None:
        import asyncssh

        async def everyone() -> list[asyncssh.SSHClientConnection]:
            return await asyncio.gather(*(asyncssh.connect(host, **self.options) for host in self.hosts))

        self.connections = self.loop.run_until_complete(everyone())
        self.warm(1)

    def warm(self, rounds: int) -> None:
        async def everyone() -> None:
            await asyncio.gather(*(connection.run("true", check=True) for connection in self.connections))

        for _ in range(rounds):
            self.loop.run_until_complete(everyone())

    def one(self, commands: int) -> None:
        async def each() -> None:
            for _ in range(commands):
                await self.connections[0].run("true", check=True)

        self.loop.run_until_complete(each())

    def close(self) -> None:
        async def everyone() -> None:
            for connection in self.connections:
                connection.close()
            await asyncio.gather(*(connection.wait_closed() for connection in self.connections))

        self.loop.run_until_complete(everyone())

    def tree(self, source: str, target: str, existing: bool) -> None:
        self._copy("put", source, target, recurse=True, preserve=True)

    def put(self, source: str, target: str) -> None:
        self._copy("put", source, target)

    def get(self, source: str, target: str) -> None:
        self._copy("get", source, target)

    def _copy(self, verb: str, source: str, target: str, **options: bool) -> None:
        import asyncssh

        async def copy() -> None:
            async with (
                asyncssh.connect(self.hosts[0], **self.options) as connection,
                connection.start_sftp_client() as sftp,
            ):
                await getattr(sftp, verb)(source, target, **options)

        self.loop.run_until_complete(copy())


class AsyncsshUvloop(Asyncssh):
    """On the loop that ours has, too."""

    @staticmethod
    def new_loop() -> asyncio.AbstractEventLoop:
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop

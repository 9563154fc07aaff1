"""How many handshakes go on at once: to one address, and on the whole.

An sshd answers ten at a time that have not logged in, and then refuses some at random (MaxStartups 10:30:100), so there
is a gate for each address, which is held from the first packet to the login. And each handshake is a few milliseconds
of computing on this side: a thousand at once would all take as long as the last of them. That gate is held only by who
computes: nobody passes it before the host has said its first word, and who takes longer than `HOLD` gives its place
to another and goes on without. So hosts that hang delay no others.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

__all__ = ["Gates"]

OVERALL = 64
TO_ONE = 8
HOLD = 1.0  # seconds


class Gates:
    """Of one loop."""

    def __init__(self) -> None:
        self._overall = asyncio.Semaphore(OVERALL)
        self._to: dict[tuple[str, int], tuple[asyncio.Semaphore, list[None]]] = {}

    @contextlib.asynccontextmanager
    async def address(self, hostname: str, port: int) -> AsyncIterator[None]:
        """Wait for a turn there."""
        key = (hostname, port)
        gate, users = self._to.setdefault(key, (asyncio.Semaphore(TO_ONE), []))
        users.append(None)
        try:
            async with gate:
                yield
        finally:
            users.pop()
            if not users:
                self._to.pop(key, None)

    @contextlib.asynccontextmanager
    async def computing(self, limit: asyncio.Timeout) -> AsyncIterator[None]:
        """Wait for a turn to compute.

        Args:
            limit: of who waits; waiting for a turn does not count.
        """
        loop = asyncio.get_running_loop()
        end, began = limit.when(), loop.time()
        limit.reschedule(None)
        await self._overall.acquire()
        place = [self._overall]

        def give() -> None:
            while place:
                place.pop().release()

        later = loop.call_later(HOLD, give)
        try:
            if end is not None:
                limit.reschedule(end + loop.time() - began)
            yield
        finally:
            later.cancel()
            give()

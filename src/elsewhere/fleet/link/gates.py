"""How many handshakes go on at once: on the whole, and to one address.

An sshd answers ten at a time that have not logged in, and then refuses some at random (MaxStartups 10:30:100); and each
handshake is some 10 ms of computing on this side.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

__all__ = ["Gates"]

OVERALL = 32
TO_ONE = 8


class Gates:
    """Of one loop."""

    def __init__(self) -> None:
        self._overall = asyncio.Semaphore(OVERALL)
        self._to: dict[tuple[str, int], tuple[asyncio.Semaphore, list[None]]] = {}

    @contextlib.asynccontextmanager
    async def handshake(self, hostname: str, port: int) -> AsyncIterator[None]:
        """Wait for a turn."""
        key = (hostname, port)
        gate, users = self._to.setdefault(key, (asyncio.Semaphore(TO_ONE), []))
        users.append(None)
        try:
            async with gate, self._overall:
                yield
        finally:
            users.pop()
            if not users:
                self._to.pop(key, None)

"""A channel that sshd does not open at once.

It takes ten sessions on a connection (MaxSessions), and has not yet counted off one that has just ended when it reads,
in the same moment, that another is wanted: that one is refused, although there is room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncssh

__all__ = ["opened"]

T = TypeVar("T")
PAUSES = (0.01, 0.03, 0.1, 0.3, 1.0, 2.0)  # seconds before each further try


async def opened(connection: asyncssh.SSHClientConnection, session: Callable[[], Awaitable[T]]) -> T:
    """Open a session; again, if it is refused.

    Args:
        connection: where.
        session: makes an awaitable that opens it.

    Raises:
        ChannelOpenError: asyncssh's: it was refused each time. Nothing has run.
    """
    import asyncssh

    for pause in PAUSES:
        try:
            return await session()
        except asyncssh.ChannelOpenError as error:
            if error.code != asyncssh.OPEN_CONNECT_FAILED or connection.is_closed():
                raise
        await asyncio.sleep(pause)
    return await session()

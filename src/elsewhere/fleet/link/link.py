"""One host's connection: made when it is first needed, made anew when it is gone.

Rule: everything here runs on the engine's loop.
"""

from __future__ import annotations

import asyncio
from typing import Any

from elsewhere.errors import ConnectError, ConnectTimeout, Unauthorized
from elsewhere.fleet.naming.settings import Settings

__all__ = ["Link"]


class Link:
    """See the module.

    Args:
        settings: how to get there.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._connection: Any = None
        self._opening = asyncio.Lock()

    async def connection(self) -> Any:
        """An `asyncssh.SSHClientConnection` that is up.

        Raises:
            ConnectError, ConnectTimeout, Unauthorized: it cannot be had.
        """
        async with self._opening:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._open()
            return self._connection

    async def _open(self) -> Any:
        import asyncssh

        to = self.settings
        try:
            async with asyncio.timeout(to.connect_timeout):
                return await asyncssh.connect(
                    to.hostname,
                    to.port,
                    username=to.user,
                    client_keys=list(to.keys) or (),
                    known_hosts=list(to.known_hosts),
                )
        except TimeoutError:
            raise ConnectTimeout(
                f"{to.name}: no connection within {to.connect_timeout:g} s", address=to.address, phase="connect"
            ) from None
        except asyncssh.PermissionDenied as error:
            raise Unauthorized(f"{to.name}: {error.reason}") from error
        except (OSError, asyncssh.Error) as error:
            raise ConnectError(f"{to.name}: {error}", address=to.address, phase="connect") from error

    async def close(self) -> None:
        """Give it back; the next verb connects again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            await connection.wait_closed()

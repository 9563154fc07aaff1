"""An SFTP session on a host's connection, for threads."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from elsewhere.fleet.engine import engine
from elsewhere.fleet.link.channels import opened

if TYPE_CHECKING:
    from asyncssh import SFTPClient

    from elsewhere.fleet.host import Host

__all__ = ["Files"]

T = TypeVar("T")
_CODES = {"SFTPNoSuchFile": errno.ENOENT, "SFTPNoSuchPath": errno.ENOENT, "SFTPPermissionDenied": errno.EACCES,
          "SFTPFileAlreadyExists": errno.EEXIST}  # fmt: skip


class Files:
    """See the module.

    Args:
        host: where.

    Raises:
        ConnectError, Unauthorized: there is no way there.
        OSError: the host has no files to give.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._turn = contextlib.AsyncExitStack()  # one of the sessions that sshd allows
        self._closed = False
        self._client: SFTPClient = engine().call(self._open)

    async def _open(self) -> SFTPClient:
        connection = await self._host.link.connection()
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._host.link.session())
            client = await opened(connection, connection.start_sftp_client)
            stack.callback(client.exit)
            self._turn = stack.pop_all()
        return client

    def do(self, path: str, work: Callable[[SFTPClient], Coroutine[Any, Any, T]]) -> T:
        """Ask the host for something, and wait for it.

        Args:
            path: what it is about, for the error.
            work: does it, on the engine's loop, with asyncssh's client.

        Raises:
            OSError: the host refuses it, as `FileNotFoundError` and so on where it says so; or this is closed.
        """
        import asyncssh

        if self._closed:
            raise OSError(f"{self._host}: this SFTP session is closed")
        try:
            return engine().call(lambda: work(self._client))
        except asyncssh.SFTPError as error:
            code = _CODES.get(type(error).__name__)
            # FileNotFoundError and PermissionError come of the number; what has none keeps its text.
            reason = error.reason or str(error)
            raise OSError(code, reason, path) if code else OSError(reason) from None

    def close(self) -> None:
        """It is not used any more."""
        if not self._closed:
            self._closed = True
            engine().call(self._turn.aclose)

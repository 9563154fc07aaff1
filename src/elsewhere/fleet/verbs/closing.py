"""The end of connections: of a host's, and of all that a fleet has, at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from elsewhere.fleet.verbs.base import engine

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Closing"]


class Closing:
    """A part of `Host` and `Fleet`: they are context managers, in coroutines too, whose end closes what is open."""

    def _around(self) -> Sequence[Host]:
        """The hosts that are meant."""
        raise NotImplementedError

    @property
    def _open(self) -> list[Host]:
        hosts = (host.root for host in self._around())
        return [host for host in hosts if host._link is not None or host._kept is not None]

    def close(self) -> None:
        """Close the connection, of a fleet all of them, and end what runs over it; the next verb connects again."""
        hosts = self._open
        kept = [host._kept for host in hosts if host._kept is not None]
        if hosts:
            engine().call(lambda: _close(hosts))
        for each in kept:
            each.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            import asyncio

            await asyncio.to_thread(self.close)


async def _close(hosts: Sequence[Host]) -> None:
    import asyncio

    await asyncio.gather(*(host._close() for host in hosts))

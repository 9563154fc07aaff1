"""`Fleet`: many machines, one verb."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self

from elsewhere.fleet.commands import run as commands
from elsewhere.fleet.commands.prepare import prepare
from elsewhere.fleet.engine import engine
from elsewhere.fleet.host import Host
from elsewhere.fleet.results import FleetError, Result

__all__ = ["Fleet"]


class Fleet:
    """Many machines.

    Args:
        hosts: their names, or `Host` objects.
        jobs: how many are worked on at once.
        options: for each `Host` that is named.
    """

    def __init__(self, *hosts: str | Host, jobs: int = 50, **options: Any) -> None:
        self.hosts = [host if isinstance(host, Host) else Host(host, **options) for host in hosts]
        self.jobs = jobs

    def run(self, command: str | list[str], *, return_exceptions: bool = False, **options: Any) -> dict[Host, Result]:
        """Run a command on each host, and wait until all have finished."""
        prepared = prepare(command, **options)
        return self._each("run", lambda host: commands.run(host, prepared), return_exceptions)

    def _each(
        self, verb: str, work: Callable[[Host], Coroutine[Any, Any, Any]], return_exceptions: bool
    ) -> dict[Host, Any]:
        async def all_of_them() -> list[Any]:
            gate = asyncio.Semaphore(self.jobs)

            async def one(host: Host) -> Any:
                async with gate:
                    return await work(host)

            return await asyncio.gather(*map(one, self.hosts), return_exceptions=True)

        outcomes = dict(zip(self.hosts, engine().call(all_of_them), strict=True))
        failed = sum(isinstance(outcome, Exception) for outcome in outcomes.values())
        if failed and not return_exceptions:
            raise FleetError(f"{verb} failed on {failed} of {len(outcomes)} hosts", outcomes)
        return outcomes

    def close(self) -> None:
        """Close all connections."""
        for host in self.hosts:
            host.close()

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts)

    def __len__(self) -> int:
        return len(self.hosts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

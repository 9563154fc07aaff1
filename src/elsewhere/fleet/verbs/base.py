"""What each part of `Host` knows of the others.

Rule: here, and in what a `Host` or a `Fleet` is made of, nothing is imported that imports asyncio.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from elsewhere.call import UNSET

if TYPE_CHECKING:
    from elsewhere.call import Retry
    from elsewhere.fleet.engine import Engine
    from elsewhere.fleet.host import Host

__all__ = ["Part", "engine"]

T = TypeVar("T")


def engine() -> Engine:
    """This process's engine.

    It is imported here, as each verb imports what it needs: asyncio and all that runs on its loop take as long to load
    as all the rest of `elsewhere`, and who imports `Host` may never need them.
    """
    from elsewhere.fleet.engine import engine as found

    return found()


class Part:
    """A part of `Host`."""

    @property
    def _host(self) -> Host:
        """The host itself, where this is a view of it."""
        return cast("Host", self).root

    def options(self, *, timeout: float | None = UNSET, retry: int | Retry | None = UNSET) -> Self:
        """A view of this host, over the same connection, whose commands and calls have other options.

        Args:
            timeout: seconds for a call, or for a command that is not told another; None for no limit.
            retry: how often one that failed is tried again, and when; a number, or a `Retry`. By default never: what
                failed may have done half of its work.

        Raises:
            TypeError, ValueError: one is wrong.
        """
        view = copy.copy(self)
        host = cast("Host", view)
        host._root = self._host
        host._options = host._options.but(timeout=timeout, retry=retry)
        return view

    def _defaults(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options of a verb, with those of this view."""
        timeout = cast("Host", self)._options.timeout
        return options if timeout is None or "timeout" in options else {**options, "timeout": timeout}

    def _tried(self, work: Callable[[], Coroutine[Any, Any, T]]) -> Callable[[], Coroutine[Any, Any, T]]:
        """The work, tried as often as this view says."""
        retry = cast("Host", self)._options.retry
        if retry is None:
            return work

        import asyncio

        async def again_and_again() -> T:
            failures = 0
            while True:
                try:
                    return await work()
                except Exception as error:  # which ones count is the user's affair
                    failures += 1
                    if not retry.wants(error, failures):
                        raise
                await asyncio.sleep(retry.delay(failures))

        return again_and_again

"""Python functions on all hosts of a fleet."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from elsewhere.fleet.many.base import Many

if TYPE_CHECKING:
    from elsewhere.fleet.commands.run import Sink
    from elsewhere.fleet.host import Host
    from elsewhere.fleet.verbs.told import Work
    from elsewhere.pool.places import Wanted
    from elsewhere.runtime.driving.driver import Driver
    from elsewhere.runtime.future import Future

__all__ = ["Calls"]

T = TypeVar("T")


class Calls(Many):
    """See the module."""

    def each(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> dict[Host, T]:
        """``fn(*args, **kwargs)`` once on each host, as `Host.call` does it; waits until all have finished.

        All keywords are the function's. Ours come from `options`: ``timeout``, ``retry``, ``jobs``, ``max_failures``,
        ``return_exceptions`` and ``progress``::

            fleet.options(timeout=30, return_exceptions=True).each(shutil.disk_usage, "/")

        Raises:
            FleetError: hosts have failed: ``.results`` has all of them.
            TypeError, Exception: the function or an argument cannot be pickled; nobody was connected to.
        """
        return self._do("each", self._calling(fn, args, kwargs), return_exceptions=False)

    def each_async(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[dict[Host, T]]:
        """`each`, as a `Future`, with the same arguments; cancelling it stops the function where it runs."""
        return self._begin("each", self._calling(fn, args, kwargs), return_exceptions=False)

    def _calling(self, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Work[T]:
        from elsewhere.call import Options
        from elsewhere.fleet.calling.early import warm

        warm()
        from elsewhere.fleet.calling.checking import check
        from elsewhere.fleet.calling.keeping import kept

        check(fn, args, kwargs)
        context = contextvars.copy_context()
        options = Options(self._plan.timeout)

        def begin(host: Host) -> Future[T]:
            return kept(host.root, options).submit(fn, *args, **kwargs)

        async def one(host: Host, _: Sink | None) -> T:
            import asyncio

            # In a thread: arguments are pickled there, by code of theirs, which may take long.
            loop = asyncio.get_running_loop()
            future = await loop.run_in_executor(None, context.copy().run, begin, host)
            return await future

        return one

    def __elsewhere_place__(self, wanted: Wanted) -> Driver:
        """What ``Pool(where=fleet)`` calls."""
        from elsewhere.fleet.calling.early import warm

        warm()
        from elsewhere.fleet.calling.place import place

        return place(self.hosts, wanted, self)

"""Python functions on a host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from elsewhere.fleet.verbs.base import Part

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host
    from elsewhere.pool.places import Wanted
    from elsewhere.pool.pool import View
    from elsewhere.runtime.driving.driver import Driver
    from elsewhere.runtime.future import Future

__all__ = ["Calls"]

T = TypeVar("T")


class Calls(Part):
    """See the module."""

    def call(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """``fn(*args, **kwargs)`` in a Python there, of which nothing but itself is needed; waits for the value.

        The interpreter is started at the first call, over this host's connection, and kept; it ends with that. Nothing
        is written on the host. All keywords are the function's: `options` has ours, ``timeout`` and ``retry``, which
        are about the call: a host that is not reached fails at once.

        With the same minor version of Python there, any function travels; to another one it goes as source. Your own
        modules go along, installed packages must be there. What it prints and logs comes here, with the host's name.

        Raises:
            Exception: what the function has raised, with the traceback from there as its cause.
            RemoteError: its result or its exception is none that is let in from a host: see ``trust`` of `Host`.
            WorkerStartError: no Python of 3.8 or newer was found there; names those that were looked for.
            ConnectError, ConnectTimeout, HostKeyError, Unauthorized: there is no way there. It has not run.
            WorkerLost: its interpreter was lost, with the connection or alone. It may have run.
            CallTimeout: it took too long, and was stopped there.
            TypeError, Exception: the function or an argument cannot be pickled.
        """
        return self._calling().apply(fn, args, kwargs)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """`call`, as a `Future`; cancelling it stops the function there.

        Calls that wait for others are given up to four interpreters, as far as the host has cores;
        ``Pool(where=host)`` has as many as it has cores.
        """
        return self._calling().submit(fn, *args, **kwargs)

    def _calling(self) -> View:
        host, early = self._host, None
        if host._kept is None:
            from elsewhere.fleet.calling.early import Early, first

            if first():
                early = Early(host)
        from elsewhere.fleet.calling.keeping import kept

        return kept(host, cast("Host", self)._options, early)

    def __elsewhere_place__(self, wanted: Wanted) -> Driver:
        """What ``Pool(where=host)`` calls."""
        from elsewhere.fleet.calling.early import warm

        warm()
        from elsewhere.fleet.calling.place import place

        return place([self._host], wanted, self)

"""What each part of `Host` knows of the others.

Rule: here, and in what a `Host` or a `Fleet` is made of, nothing is imported that imports asyncio.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from elsewhere.call import UNSET, Retry

if TYPE_CHECKING:
    from elsewhere.call import Retry
    from elsewhere.fleet.engine import Engine
    from elsewhere.fleet.fleet import Fleet
    from elsewhere.fleet.host import Host
    from elsewhere.fleet.output.choose import Shown
    from elsewhere.fleet.verbs.told import Work
    from elsewhere.runtime.future import Future

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
        """A view of this host, over the same connection, whose commands, copies and calls have other options.

        Args:
            timeout: seconds for a call, or for a command or a copy that is not told another; None for no limit.
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

    @property
    def _timeout(self) -> float | None:
        """Of a verb that is told none."""
        return cast("Host", self)._options.timeout

    def _do(self, verb: str, work: Work[T], output: Shown = None, encoding: str | None = "utf-8") -> T:
        """Do it, as often as this view says, and wait.

        Args:
            verb: its name.
            work: what is done; its arguments were checked.
            output: who is told meanwhile.
            encoding: of what the host writes.
        """
        if output is None:
            return engine().call(self._tried(work))
        found = self._alone()._do(verb, work, return_exceptions=True, output=output, encoding=encoding)
        value: T = _value(found[self._host])
        return value

    def _begin(
        self,
        verb: str,
        work: Work[T],
        output: Shown = None,
        encoding: str | None = "utf-8",
        leave: Callable[[], object] | None = None,
    ) -> Future[T]:
        """`_do`, as a `Future`; `leave` is called when it is over."""
        if output is None:
            return engine().submit(self._tried(work), leave)
        together = self._alone()._together(verb, work, output, None, encoding)

        async def whole() -> T:
            value: T = _value((await together.run(return_exceptions=True))[self._host])
            return value

        return engine().submit(whole, together.abandon)

    def _alone(self) -> Fleet:
        """A fleet of one, which knows how to show what comes."""
        from elsewhere.fleet.fleet import Fleet

        retry = cast("Host", self)._options.retry
        return Fleet(self._host) if retry is None else Fleet(self._host).options(retry=retry)

    def _tried(self, work: Work[T]) -> Callable[[], Coroutine[Any, Any, T]]:
        """The work, tried as often as this view says."""
        host, retry = self._host, cast("Host", self)._options.retry
        if retry is None:
            return lambda: work(host, None)

        import asyncio

        async def again_and_again() -> T:
            failures = 0
            while True:
                try:
                    return await work(host, None)
                except Exception as error:  # which ones count is the user's affair
                    failures += 1
                    if not retry.wants(error, failures):
                        raise
                await asyncio.sleep(retry.delay(failures))

        return again_and_again


def _value(outcome: Any) -> Any:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome

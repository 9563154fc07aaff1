"""How each verb of a fleet is done: told to all hosts, waited for or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from elsewhere.fleet.host import Host
from elsewhere.fleet.many.plan import Plan
from elsewhere.fleet.verbs.base import engine

if TYPE_CHECKING:
    from elsewhere.fleet.commands.run import Sink
    from elsewhere.fleet.many.together import Together
    from elsewhere.fleet.output.choose import Shown
    from elsewhere.runtime.future import Future

__all__ = ["Many", "Work"]

T = TypeVar("T")
Work = Callable[[Host, "Sink | None"], Coroutine[Any, Any, T]]


class Many:
    """What each part of `Fleet` knows of the others.

    Attributes:
        hosts: each once, in the order in which they were named.
    """

    hosts: tuple[Host, ...]
    _plan: Plan

    def _do(
        self,
        verb: str,
        work: Work[T],
        *,
        return_exceptions: bool,
        output: Shown = None,
        progress: bool | str = False,
        encoding: str | None = "utf-8",
    ) -> dict[Host, T]:
        """Do it on all hosts, and wait.

        Args:
            verb: its name, for messages and the bar.
            work: what is done on one; its arguments were checked.
            return_exceptions, output, progress: as the user has told them.
            encoding: of what hosts write.
        """
        together = self._together(verb, work, output, progress, encoding)
        try:
            return engine().call(lambda: together.run(return_exceptions=self._gives(return_exceptions)))
        except BaseException as error:
            together.tell(error)  # an interrupt comes to this thread, not to the loop
            together.abandon()
            raise

    def _begin(
        self,
        verb: str,
        work: Work[T],
        *,
        return_exceptions: bool,
        output: Shown = None,
        progress: bool | str = False,
        encoding: str | None = "utf-8",
        within: contextlib.AbstractContextManager[Any] | None = None,
    ) -> Future[dict[Host, T]]:
        """`_do`, as a `Future`; `within` is a block around it all."""
        together = self._together(verb, work, output, progress, encoding)

        async def whole() -> dict[Host, T]:
            with within or contextlib.nullcontext():
                return await together.run(return_exceptions=self._gives(return_exceptions))

        future = engine().submit(whole)
        if together.shown:
            future.add_done_callback(lambda _: together.abandon())
        return future

    def _together(
        self, verb: str, work: Work[T], output: Shown, progress: bool | str, encoding: str | None
    ) -> Together:
        from elsewhere.fleet.many.together import Together
        from elsewhere.fleet.output.choose import courier

        progress = progress or self._plan.progress
        return Together(verb, self.hosts, work, self._plan, courier(self.hosts, output, progress, verb, encoding))

    def _gives(self, return_exceptions: bool) -> bool:
        """Are exceptions to be in the dict?"""
        return return_exceptions or self._plan.return_exceptions

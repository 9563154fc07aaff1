"""How each verb of a fleet is done: told to all hosts, waited for or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from elsewhere.fleet.host import Host
from elsewhere.fleet.many.plan import Plan
from elsewhere.fleet.verbs.base import engine

if TYPE_CHECKING:
    from elsewhere.fleet.many.together import Together
    from elsewhere.fleet.output.choose import Shown
    from elsewhere.fleet.verbs.told import Work
    from elsewhere.runtime.future import Future

__all__ = ["MANY", "Many"]

T = TypeVar("T")
MANY = ("return_exceptions", "progress")  # what the verbs of a fleet take besides, for messages


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
        progress: bool | str | None = False,
        encoding: str | None = "utf-8",
    ) -> dict[Host, T]:
        """Do it on all hosts, and wait.

        Args:
            verb: its name, for messages and the bar.
            work: what is done on one; its arguments were checked.
            return_exceptions, output, progress: as the user has told them; None for a bar of the verb's own.
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
        progress: bool | str | None = False,
        encoding: str | None = "utf-8",
        leave: Callable[[], object] | None = None,
    ) -> Future[dict[Host, T]]:
        """`_do`, as a `Future`; `leave` is called when it is over."""
        together = self._together(verb, work, output, progress, encoding)

        def over() -> None:
            together.abandon()
            if leave is not None:
                leave()

        return engine().submit(
            lambda: together.run(return_exceptions=self._gives(return_exceptions)),
            over if together.shown or leave is not None else None,
        )

    def _together(
        self, verb: str, work: Work[T], output: Shown, progress: bool | str | None, encoding: str | None
    ) -> Together:
        from elsewhere.fleet.many.together import Together
        from elsewhere.fleet.output.choose import courier

        progress = self._plan.progress if progress is False else progress
        return Together(verb, self.hosts, work, self._plan, courier(self.hosts, output, progress, verb, encoding))

    def _gives(self, return_exceptions: bool) -> bool:
        """Are exceptions to be in the dict?"""
        return return_exceptions or self._plan.return_exceptions

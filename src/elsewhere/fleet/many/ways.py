"""The ways to all hosts of a fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elsewhere.fleet.host import Host
from elsewhere.fleet.many.base import Many

if TYPE_CHECKING:
    from elsewhere.fleet.output.choose import Shown
    from elsewhere.runtime.future import Future

__all__ = ["Ways"]


class Ways(Many):
    """See the module."""

    def connect(
        self, *, return_exceptions: bool = False, output: Shown = None, progress: bool | str = False
    ) -> dict[Host, None]:
        """Connect to each host now, and not when it is first needed.

        Args:
            return_exceptions: give exceptions in the dict instead of raising.
            output: who is told of each host; see `Fleet`.
            progress: draw a bar on stderr; a str is what stands before it.

        Raises:
            FleetError: hosts cannot be connected to: ``.results`` has all of them.
        """
        return self._do(
            "connect",
            lambda host, _: host._connect(),
            return_exceptions=return_exceptions,
            output=output,
            progress=progress,
        )

    def connect_async(self, *, return_exceptions: bool = False, output: Shown = None) -> Future[dict[Host, None]]:
        """`connect`, as a `Future`."""
        return self._begin(
            "connect", lambda host, _: host._connect(), return_exceptions=return_exceptions, output=output
        )

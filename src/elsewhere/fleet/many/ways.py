"""The ways to all hosts of a fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elsewhere.fleet.host import Host
from elsewhere.fleet.many.base import Many
from elsewhere.fleet.naming.secret import hiding

if TYPE_CHECKING:
    from elsewhere.fleet.options import Asked
    from elsewhere.fleet.output.choose import Shown
    from elsewhere.fleet.verbs.told import Work
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

    def connect_async(
        self, *, return_exceptions: bool = False, output: Shown = None, progress: bool | str = False
    ) -> Future[dict[Host, None]]:
        """`connect`, as a `Future`, with the same arguments."""
        return self._begin(
            "connect",
            lambda host, _: host._connect(),
            return_exceptions=return_exceptions,
            output=output,
            progress=progress,
        )

    @hiding
    def reboot(
        self,
        wait: float = 120.0,
        command: str = "reboot",
        sudo: bool | None = None,
        *,
        password: Asked = None,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
    ) -> dict[Host, float]:
        """Start each host anew, and wait until it is back.

        One after another, and no more once one has not come back: ``fleet.options(jobs=1, max_failures=1).reboot()``.

        Args:
            wait, command, sudo, password: as `Host.reboot` takes them; the seconds are each host's own.
            return_exceptions, output, progress: as for `connect`.

        Raises:
            FleetError: hosts have failed, or are not back: ``.results`` has all of them.
            TypeError, ValueError: an argument is wrong; nobody was connected to.
        """
        work = self._rebooting(wait, command, sudo, password)
        return self._do("reboot", work, return_exceptions=return_exceptions, output=output, progress=progress)

    @hiding
    def reboot_async(
        self,
        wait: float = 120.0,
        command: str = "reboot",
        sudo: bool | None = None,
        *,
        password: Asked = None,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
    ) -> Future[dict[Host, float]]:
        """`reboot`, as a `Future`, with the same arguments."""
        work = self._rebooting(wait, command, sudo, password)
        return self._begin("reboot", work, return_exceptions=return_exceptions, output=output, progress=progress)

    def _rebooting(self, wait: float, command: str, sudo: bool | None, password: Asked) -> Work[float]:
        from elsewhere.fleet.naming.password import password_of

        shared = password_of(password)  # asked for once, and tried on one host first
        works = {host: host._rebooting(wait, command, sudo, shared) for host in self.hosts}
        return lambda host, _: works[host]()

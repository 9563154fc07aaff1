"""Commands on all hosts of a fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from elsewhere.fleet.commands.around import Around
from elsewhere.fleet.host import Host
from elsewhere.fleet.many.base import MANY, Many
from elsewhere.fleet.naming.secret import hiding
from elsewhere.fleet.verbs.told import running, sudoing

if TYPE_CHECKING:
    from typing import Unpack

    from elsewhere.fleet.options import Asked, CommandOptions, SudoOptions
    from elsewhere.fleet.output.choose import Shown
    from elsewhere.fleet.results import Result
    from elsewhere.runtime.future import Future

__all__ = ["Commands"]


class Commands(Around, Many):
    """See the module; `cd`, `prefix` and `env` are contexts for all hosts of the fleet."""

    def _around(self) -> Sequence[Host]:
        return self.hosts

    def run(
        self,
        command: str | Sequence[str],
        *,
        detach: bool = False,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Unpack[CommandOptions],
    ) -> dict[Host, Result]:
        """Run a command on each host, and wait until all have finished.

        Args:
            command, detach: as `Host.run` takes them.
            return_exceptions: give exceptions in the dict instead of raising.
            output: how what the hosts write is shown meanwhile; see `Fleet`.
            progress: draw a bar on stderr; a str is what stands before it.
            options: as `Host.run` takes them.

        Raises:
            FleetError: hosts have failed: ``.results`` has all of them.
            TypeError, ValueError: an argument is wrong; nobody was connected to.
        """
        work, encoding = running(command, detach, options, self._plan.timeout, *MANY)
        return self._do(
            "run", work, return_exceptions=return_exceptions, output=output, progress=progress, encoding=encoding
        )

    def run_async(
        self,
        command: str | Sequence[str],
        *,
        detach: bool = False,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Unpack[CommandOptions],
    ) -> Future[dict[Host, Result]]:
        """`run`, as a `Future`, with the same arguments; cancelling it ends what runs."""
        work, encoding = running(command, detach, options, self._plan.timeout, *MANY)
        return self._begin(
            "run", work, return_exceptions=return_exceptions, output=output, progress=progress, encoding=encoding
        )

    @hiding
    def sudo(
        self,
        command: str | Sequence[str],
        *,
        password: Asked = None,
        detach: bool = False,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Unpack[SudoOptions],
    ) -> dict[Host, Result]:
        """Run a command on each host as another user, and wait until all have finished.

        The password is asked for once, when the first host's sudo asks. As long as it was right nowhere, it is tried on
        one host while the others wait; once it was wrong somewhere it is sent to no further host.

        Args:
            command, password, detach, options: as `Host.sudo` takes them.
            return_exceptions, output, progress: as for `run`.

        Raises:
            FleetError: hosts have failed: ``.results`` has all of them.
            TypeError, ValueError: an argument is wrong; nobody was connected to.
        """
        work, encoding = sudoing(command, password, detach, options, self._plan.timeout, *MANY)
        return self._do(
            "sudo", work, return_exceptions=return_exceptions, output=output, progress=progress, encoding=encoding
        )

    @hiding
    def sudo_async(
        self,
        command: str | Sequence[str],
        *,
        password: Asked = None,
        detach: bool = False,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Unpack[SudoOptions],
    ) -> Future[dict[Host, Result]]:
        """`sudo`, as a `Future`, with the same arguments; cancelling it ends what runs."""
        work, encoding = sudoing(command, password, detach, options, self._plan.timeout, *MANY)
        return self._begin(
            "sudo", work, return_exceptions=return_exceptions, output=output, progress=progress, encoding=encoding
        )

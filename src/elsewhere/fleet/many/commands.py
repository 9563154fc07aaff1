"""Commands on all hosts of a fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from elsewhere.fleet.commands.around import Around
from elsewhere.fleet.host import Host
from elsewhere.fleet.many.base import Many, Work

if TYPE_CHECKING:
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
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Any,
    ) -> dict[Host, Result]:
        """Run a command on each host, and wait until all have finished.

        Args:
            command: as `Host.run` takes it.
            return_exceptions: give exceptions in the dict instead of raising.
            output: how what the hosts write is shown meanwhile; see `Fleet`.
            progress: draw a bar on stderr; a str is what stands before it.
            options: as `Host.run` takes them.

        Raises:
            FleetError: hosts have failed: ``.results`` has all of them.
            TypeError, ValueError: an argument is wrong; nobody was connected to.
        """
        work, encoding = self._running(command, options)
        return self._do(
            "run", work, return_exceptions=return_exceptions, output=output, progress=progress, encoding=encoding
        )

    def run_async(
        self,
        command: str | Sequence[str],
        *,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Any,
    ) -> Future[dict[Host, Result]]:
        """`run`, as a `Future`; cancelling it ends what runs."""
        work, encoding = self._running(command, options)
        return self._begin(
            "run", work, return_exceptions=return_exceptions, output=output, progress=progress, encoding=encoding
        )

    def sudo(
        self,
        command: str | Sequence[str],
        *,
        password: Any = None,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Any,
    ) -> dict[Host, Result]:
        """Run a command on each host as another user, and wait until all have finished.

        The password is asked for once, when the first host's sudo asks. As long as it was right nowhere, it is tried on
        one host while the others wait; once it was wrong somewhere it is sent to no further host.

        Args:
            command, password, options: as `Host.sudo` takes them.
            return_exceptions, output, progress: as for `run`.

        Raises:
            FleetError: hosts have failed: ``.results`` has all of them.
            TypeError, ValueError: an argument is wrong; nobody was connected to.
        """
        try:
            work, encoding = self._sudoing(command, password, options)
        finally:
            password = None  # it shows in no traceback from here on
        return self._do(
            "sudo", work, return_exceptions=return_exceptions, output=output, progress=progress, encoding=encoding
        )

    def sudo_async(
        self,
        command: str | Sequence[str],
        *,
        password: Any = None,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Any,
    ) -> Future[dict[Host, Result]]:
        """`sudo`, as a `Future`; cancelling it ends what runs."""
        try:
            work, encoding = self._sudoing(command, password, options)
        finally:
            password = None  # as above
        return self._begin(
            "sudo", work, return_exceptions=return_exceptions, output=output, progress=progress, encoding=encoding
        )

    def _sudoing(self, command: Any, password: Any, options: dict[str, Any]) -> tuple[Work[Result], str | None]:
        from elsewhere.fleet.commands import sudo as sudoing

        options.setdefault("timeout", self._plan.timeout)
        try:
            prepared = sudoing.prepare_sudo(command, password=password, **options)
        finally:
            password = None  # as above
        return lambda host, sink: sudoing.run(host, prepared, sink), prepared.command.encoding

    def _running(self, command: Any, options: dict[str, Any]) -> tuple[Work[Result], str | None]:
        from elsewhere.fleet.commands import run as commands
        from elsewhere.fleet.commands.prepare import prepare

        options.setdefault("timeout", self._plan.timeout)
        prepared = prepare(command, **options)
        return lambda host, sink: commands.run(host, prepared, sink), prepared.encoding

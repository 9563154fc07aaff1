"""Files to all hosts of a fleet, and from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elsewhere.fleet.host import Host
from elsewhere.fleet.many.base import MANY, Many
from elsewhere.fleet.naming.secret import hiding
from elsewhere.fleet.verbs.told import getting, putting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Unpack

    from elsewhere.fleet.files.bar import Bar
    from elsewhere.fleet.files.outcome import Transfer
    from elsewhere.fleet.files.wanted import Get
    from elsewhere.fleet.options import CopyOptions, Path, Sources, Writable
    from elsewhere.fleet.output.choose import Shown
    from elsewhere.fleet.verbs.told import Work
    from elsewhere.runtime.future import Future

__all__ = ["Files"]


class Files(Many):
    """See the module."""

    @hiding
    def put(
        self,
        sources: Sources,
        to: Path,
        *,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Unpack[CopyOptions],
    ) -> dict[Host, Transfer]:
        """Copy files and folders to each host, and wait until all have them; the sources are looked at once.

        Args:
            sources, to, options: as `Host.put` takes them.
            return_exceptions: give exceptions in the dict instead of raising.
            output: who is told when a host has ended; see `Fleet`.
            progress: draw a bar on stderr, which counts the bytes for all hosts; a str is what stands before it.

        Raises:
            FleetError: hosts have failed: ``.results`` has all of them.
            FileNotFoundError, TypeError, ValueError: an argument is wrong; nobody was connected to.
        """
        from elsewhere.fleet.files.bar import Bar
        from elsewhere.fleet.files.sending import send

        wanted = putting(sources, to, options, self._plan.timeout, *MANY)
        with wanted, Bar(progress or self._plan.progress, "put") as bar:
            return self._do(
                "put",
                lambda host, _: send(host, wanted, bar),
                return_exceptions=return_exceptions,
                output=output,
                progress=None,
            )

    @hiding
    def put_async(
        self,
        sources: Sources,
        to: Path,
        *,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Unpack[CopyOptions],
    ) -> Future[dict[Host, Transfer]]:
        """`put`, as a `Future`, with the same arguments; cancelling it ends the copies."""
        from elsewhere.fleet.files.bar import Bar
        from elsewhere.fleet.files.sending import send

        wanted = putting(sources, to, options, self._plan.timeout, *MANY)
        bar = Bar(progress or self._plan.progress, "put")

        def leave() -> None:
            wanted.close()
            bar.close()

        return self._begin(
            "put",
            lambda host, _: send(host, wanted, bar),
            return_exceptions=return_exceptions,
            output=output,
            progress=None,
            leave=leave,
        )

    @hiding
    def get(
        self,
        sources: Path | Iterable[Path],
        to: Path | Writable = "",
        *,
        by_host: bool = True,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Unpack[CopyOptions],
    ) -> dict[Host, Transfer]:
        """Copy files and folders from each host, into a folder of its own: ``TO/HOST/name``.

        That is so for a fleet of one host, too: the files of a part of a fleet are where those of the whole would be.

        Args:
            sources, to, options: as `Host.get` takes them.
            by_host: False for no such folders, which only a fleet of one host can do without.
            return_exceptions, output, progress: as for `put`.

        Raises:
            FleetError: hosts have failed: ``.results`` has all of them.
            TypeError, ValueError: an argument is wrong; nobody was connected to.
        """
        from elsewhere.fleet.files.bar import Bar

        work = self._getting(sources, to, by_host, options)
        with Bar(progress or self._plan.progress, "get") as bar:
            return self._do("get", work(bar), return_exceptions=return_exceptions, output=output, progress=None)

    @hiding
    def get_async(
        self,
        sources: Path | Iterable[Path],
        to: Path | Writable = "",
        *,
        by_host: bool = True,
        return_exceptions: bool = False,
        output: Shown = None,
        progress: bool | str = False,
        **options: Unpack[CopyOptions],
    ) -> Future[dict[Host, Transfer]]:
        """`get`, as a `Future`, with the same arguments; cancelling it ends the copies."""
        from elsewhere.fleet.files.bar import Bar

        work = self._getting(sources, to, by_host, options)
        bar = Bar(progress or self._plan.progress, "get")
        return self._begin(
            "get",
            work(bar),
            return_exceptions=return_exceptions,
            output=output,
            progress=None,
            leave=bar.close,
        )

    def _getting(self, sources: Any, to: Any, by_host: bool, options: CopyOptions) -> Callable[[Bar], Work[Transfer]]:
        from elsewhere.fleet.files.receiving import receive

        wanted = getting(sources, to, options, self._plan.timeout, "by_host", *MANY)
        if len(self.hosts) > 1 and (wanted.sink is not None or not by_host):
            raise ValueError("the files of several hosts would be written over each other: each needs its own folder")

        def place(host: Host) -> Get:
            return wanted.of(str(host)) if by_host and wanted.sink is None else wanted

        return lambda bar: lambda host, _: receive(host, place(host), bar)

"""`Host`: one machine that is reached over SSH."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from elsewhere.fleet.commands import run as commands
from elsewhere.fleet.commands.prepare import prepare
from elsewhere.fleet.engine import engine
from elsewhere.fleet.link.link import Link
from elsewhere.fleet.naming.settings import Given, Settings, resolve
from elsewhere.fleet.results import Result
from elsewhere.runtime.future import Future
from elsewhere.sansio.hosts.inventory import Entry
from elsewhere.sansio.hosts.names import Spec

__all__ = ["Host"]


class Host:
    """One machine; equal to its own text, so that ``results["web1"]`` finds it.

    Args:
        name: ``"web1"``, ``"user@web1:2222"``, or an alias of ~/.ssh/config.
        options: how it is reached; see `Given`.
        entry: what an inventory says of it.

    Also a context manager, which closes the connection. It is connected when that is first needed.

    Raises:
        ValueError: the name is none.
    """

    def __init__(self, name: str, *, entry: Entry | None = None, **options: Any) -> None:
        self.spec = Spec.parse(name)
        self.name = name.strip()
        self._given = Given(**options)
        self._entry = entry
        self._settings: Settings | None = None
        self._link: Link | None = None

    @property
    def settings(self) -> Settings:
        """How it is reached.

        Raises:
            ValueError: ~/.ssh/config cannot be understood.
        """
        if self._settings is None:
            self._settings = resolve(self.spec, self._given, self._entry)
        return self._settings

    @property
    def link(self) -> Link:
        """Its connection; for coroutines on the engine's loop."""
        if self._link is None:
            self._link = engine().links.link(self.settings)
        return self._link

    def run(self, command: str | Sequence[str], **options: Any) -> Result:
        """Run a command and wait for its end.

        Args:
            command: a str for the login shell there; or a list of a program and its arguments, which are quoted.
            cwd: the folder to run it in; ``~`` is the home there.
            env: further variables. They are in no command line, there or here.
            input: a str or bytes to read from; nothing by default.
            timeout: seconds, after which it is ended on the far side too; None for no limit.
            check: raise if it fails.
            pty: give it a terminal; its output and its errors are then one.
            encoding: of what it writes, which is a str then; None for bytes. What is none of it becomes surrogates.

        Raises:
            CommandError: it has failed.
            CallTimeout: it took too long.
            ConnectError, ConnectTimeout, HostKeyError, Unauthorized: there is no way there. It has not run.
            ConnectionLost: the connection broke. It may have run; what was left of it is ended.
            TypeError, ValueError: an argument is wrong.
        """
        prepared = prepare(command, **options)
        return engine().call(lambda: commands.run(self, prepared))

    def run_async(self, command: str | Sequence[str], **options: Any) -> Future[Result]:
        """`run`, as a `Future`; cancelling it ends the command."""
        prepared = prepare(command, **options)
        return engine().submit(lambda: commands.run(self, prepared))

    def close(self) -> None:
        """Close the connection; the next verb connects again."""
        link, self._link = self._link, None
        if link is not None:
            engine().call(link.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Host {self.name}>"

    def __eq__(self, other: object) -> bool:
        return str(other) == self.name if isinstance(other, Host | str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

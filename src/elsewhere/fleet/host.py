"""`Host`: one machine that is reached over SSH."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from elsewhere.fleet.commands import run as commands
from elsewhere.fleet.engine import engine
from elsewhere.fleet.link.link import Link
from elsewhere.fleet.naming.spec import Settings, Spec
from elsewhere.fleet.results import Result
from elsewhere.runtime.future import Future

__all__ = ["Host"]


class Host:
    """One machine; equal to its own text, so that ``results["web1"]`` finds it.

    Args:
        name: ``"web1"``, ``"user@web1:2222"``, or an alias of ~/.ssh/config.
        user, port: where the name does not say them.

    Also a context manager, which closes the connection. It is connected when that is first needed.
    """

    def __init__(self, name: str, *, user: str | None = None, port: int | None = None, **options: Any) -> None:
        self.name = name
        self.settings = Settings.of(Spec.parse(name), user=user, port=port, **options)
        self._link: Link | None = None

    @property
    def link(self) -> Link:
        """Its connection; for coroutines on the engine's loop."""
        if self._link is None:
            self._link = Link(self.settings)
        return self._link

    def run(self, command: str | list[str], **options: Any) -> Result:
        """Run a command and wait for its end."""
        return engine().call(lambda: commands.run(self, command, **options))

    def run_async(self, command: str | list[str], **options: Any) -> Future[Result]:
        """`run`, as a `Future`."""
        return engine().submit(lambda: commands.run(self, command, **options))

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

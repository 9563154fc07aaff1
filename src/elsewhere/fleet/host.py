"""`Host`: one machine that is reached over SSH."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from elsewhere.fleet.engine import engine
from elsewhere.fleet.link.link import Link
from elsewhere.fleet.naming.given import given
from elsewhere.fleet.naming.settings import Settings, resolve
from elsewhere.fleet.verbs.commands import Commands
from elsewhere.fleet.verbs.files import Files
from elsewhere.fleet.verbs.ways import Ways
from elsewhere.sansio.hosts.inventory import Entry
from elsewhere.sansio.hosts.names import Spec

__all__ = ["Host"]


class Host(Commands, Files, Ways):
    """One machine; equal to its own text, so that ``results["web1"]`` finds it.

    Args:
        name: ``"web1"``, ``"user@web1:2222"``, or an alias of ~/.ssh/config.
        options: how it is reached: ``user``, ``port``, ``keys``, ``passphrase``, ``password``, ``known_hosts``,
            ``host_keys``, ``connect_timeout``, ``keepalive``, ``jump``, ``agent``, ``forward_agent``, ``config``; see
            `Given`.
        entry: what an inventory says of it.

    Also a context manager, which closes the connection. It is connected when that is first needed.

    Raises:
        ValueError: the name is none.
        TypeError, ValueError: an option is wrong.

    It can be pickled, without its connection, and so can what its verbs give and raise.
    """

    def __init__(self, name: str, *, entry: Entry | None = None, **options: Any) -> None:
        self.spec = Spec.parse(name)
        self.name = name.strip()
        self._given = given(options)
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
        links = engine().links
        if self._link is None or self._link.links is not links:  # after a fork it is the parent's
            self._link = links.link(self.settings)
        return self._link

    def close(self) -> None:
        """Close the connection; the next verb connects again."""
        if self._link is not None:
            engine().call(self._close)

    async def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None and link.links is engine().links:
            await link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._link is not None:
            await engine().submit(self._close)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_link": None, "_settings": None}

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Host {self.name}>"

    def __eq__(self, other: object) -> bool:
        return str(other) == self.name if isinstance(other, Host | str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

"""A host as it was named, and how to get there."""

from __future__ import annotations

import getpass
from typing import Any, NamedTuple

__all__ = ["Settings", "Spec"]


class Spec(NamedTuple):
    """``user@name:port`` in parts; what was not said is None.

    Attributes:
        name: a host's name, an IP address without brackets, or an alias of ~/.ssh/config.
    """

    name: str
    user: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Spec:
        """The parts of ``web1``, ``user@web1``, ``user@web1:2222``, ``ssh://user@web1:2222``, ``[::1]:22``, ``::1``.

        Raises:
            ValueError: it names no host; says what was probably meant.
        """
        user, at, rest = text.removeprefix("ssh://").rpartition("@")
        name, colon, port = rest.rpartition(":")
        if not colon:
            name, port = rest, ""
        return cls(name.strip("[]"), user if at else None, int(port) if port else None)


class Settings(NamedTuple):
    """How to get to a host: what was given, then what ~/.ssh/config says, then the defaults.

    Attributes:
        name: what it is called in messages: the host as it was named.
        hostname, port, user: where to.
        keys: files or loaded keys to try; empty: the usual ones.
        known_hosts: as `asyncssh.connect` takes it.
        connect_timeout: seconds for the whole way up to the login.
    """

    name: str
    hostname: str
    port: int
    user: str
    keys: tuple[Any, ...] = ()
    known_hosts: Any = None
    connect_timeout: float = 10.0

    @property
    def address(self) -> str:
        """As a URL."""
        return f"ssh://{self.user}@{self.hostname}:{self.port}"

    @classmethod
    def of(cls, spec: Spec, **options: Any) -> Settings:
        """See the class."""
        given = {key: value for key, value in options.items() if value is not None}
        name = spec.name if spec.port in {None, 22} else f"{spec.name}:{spec.port}"
        return cls(
            name,
            spec.name,
            spec.port or given.pop("port", 22),
            spec.user or given.pop("user", getpass.getuser()),
            **given,
        )

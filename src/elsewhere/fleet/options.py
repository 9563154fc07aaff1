"""What a host and its verbs are told by keywords, with their types; what each means stands where it is taken.

They are public: a function that hands options on can say so, with ``**options: Unpack[CommandOptions]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from re import Pattern
    from typing import Literal, Protocol

    class Readable(Protocol):
        """A file that is open for reading, or what is like one."""

        def read(self, size: int, /) -> bytes: ...

    class Writable(Protocol):
        """A file that is open for writing, or what is like one."""

        def write(self, data: bytes, /) -> object: ...

    Path = str | os.PathLike[str]
    Sources = Path | Iterable[Path] | bytes | bytearray | memoryview | Readable
    Asked = str | Callable[[], str | None] | Callable[[], Any] | None  # a password, or what gives it when it is needed

__all__ = ["CommandOptions", "CopyOptions", "HostOptions", "SudoOptions", "known"]


class HostOptions(TypedDict, total=False):
    """How a host is reached, and what Python functions need there: see `Host`."""

    user: str | None
    port: int | None
    keys: Any  # a path, a key of asyncssh's, or several of them
    passphrase: str | None
    password: str | None
    known_hosts: Path | Iterable[Path] | None
    host_keys: Literal["strict", "accept-new", "off"] | None
    connect_timeout: float | None
    keepalive: float | None
    jump: str | Sequence[str] | None
    proxy_command: str | None
    agent: bool | Path | None
    forward_agent: bool | None
    config: Path | Iterable[Path] | None
    python: str | None
    trust: bool | None


class CommandOptions(TypedDict, total=False):
    """Of a command: see `Host.run`."""

    cwd: str | None
    env: Mapping[str, str] | None
    input: str | bytes | bytearray | memoryview | None
    timeout: float | None
    check: bool
    pty: bool
    answers: Mapping[str, str] | Mapping[Pattern[str], str] | Iterable[tuple[str | Pattern[str], str]] | None
    encoding: str | None


class SudoOptions(CommandOptions, total=False):
    """Of a command under sudo: see `Host.sudo`."""

    user: str | None
    group: str | None
    sudo_password_file: Path | None


class CopyOptions(TypedDict, total=False):
    """Of a copy of files: see `Host.put`."""

    mode: int | None
    checksum: bool
    delete: bool
    dry_run: bool
    sudo: bool | str
    password: Asked
    sudo_password_file: Path | None
    timeout: float | None


def known(verb: str, options: Mapping[str, Any], kind: Any, *own: str) -> None:
    """Say at once that there is no such option.

    Args:
        verb: that was told them.
        options: by name.
        kind: which there are: one of the above.
        own: and these.

    Raises:
        TypeError: one is none of them.
    """
    there = (*kind.__annotations__, *own)
    for name in options:
        if name not in there:
            raise TypeError(f"{verb}() has no option {name!r}: there are {', '.join(there)}")

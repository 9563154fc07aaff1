"""From what a user says of a command to a `Command`, checked: what is wrong is said before anybody connects."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from elsewhere.call import seconds_of
from elsewhere.fleet.commands.around import layers
from elsewhere.fleet.commands.command import Command
from elsewhere.sansio.hosts.answers import checked

__all__ = ["prepare"]


def prepare(
    command: str | Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    input: str | bytes | bytearray | memoryview | None = None,  # noqa: A002 - subprocess's name
    timeout: float | None = None,
    check: bool = True,
    pty: bool = False,
    answers: Mapping[Any, str] | Iterable[tuple[Any, str]] | None = None,
    encoding: str | None = "utf-8",
    detach: bool = False,
) -> Command:
    """See `Host.run`.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """
    timeout = seconds_of(timeout)
    read = _read(input, encoding)
    pairs = checked(answers or ())
    if pairs and read is not None:
        raise ValueError("input and answers are both what it reads: give one of them")
    if detach and (pty or pairs or read is not None):
        raise ValueError("nobody is there who could talk to a detached command: no pty, answers or input")
    found = Command(
        command=tuple(command) if isinstance(command, list) else command,
        cwd=cwd,
        env=_variables(env or {}),
        input=read,
        timeout=timeout,
        check=bool(check),
        pty=bool(pty),
        encoding=encoding,
        detach=bool(detach),
        answers=pairs,
        around=layers(),
    )
    found.line()
    return found


def _read(given: Any, encoding: str | None) -> bytes | None:
    """What it reads, in its encoding, which is looked at."""
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise ValueError(f"{encoding!r} is no encoding that is known here") from None
    if given is None:
        return None
    if isinstance(given, str):
        return given.encode(encoding or "utf-8", "surrogateescape")
    if not isinstance(given, bytes | bytearray | memoryview):
        raise TypeError(f"input is a str or bytes, not a value of type {type(given).__name__}")
    return bytes(given)


def _variables(env: Mapping[str, str]) -> dict[str, str]:
    for name, value in env.items():
        if not isinstance(value, str):
            raise TypeError(f"the variable {name} is a str, not a value of type {type(value).__name__}")
    return dict(env)

"""What a program says of how its hosts are reached, checked where it is said."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from elsewhere.fleet.naming.settings import POLICIES, Given
from elsewhere.sansio.hosts.names import PORTS, Spec, split

__all__ = ["given"]


def given(options: Mapping[str, Any]) -> Given:
    """The options of a `Host`.

    Args:
        options: by name, as `Given` has them; paths may be `Path` objects, and one alone stands for a tuple of one.

    Raises:
        TypeError, ValueError: there is no such option, or its value is none.
    """
    for name in options:
        if name not in _CHECKS:
            raise TypeError(f"a host has no option {name!r}: there are {', '.join(_CHECKS)}")
    if options.get("jump") is not None and options.get("proxy_command") is not None:
        raise ValueError("jump and proxy_command are both the way to the host: give one of them")
    return Given(**{name: None if value is None else _CHECKS[name](name, value) for name, value in options.items()})


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is a str, not a value of type {type(value).__name__}")  # which may be a secret
    if not value or "\0" in value:
        raise ValueError(f"{name} is a text that is not empty")
    return value


def _port(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a number, not {value!r}")
    if not 0 < value <= PORTS:
        raise ValueError(f"{name} is a number from 1 to {PORTS}, not {value}")
    return value


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number of seconds, not {value!r}")
    if not 0 <= value < math.inf or (value == 0 and name != "keepalive"):
        raise ValueError(f"{name} is {'0 or more' if name == 'keepalive' else 'more than 0'} seconds, not {value!r}")
    return float(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {value!r}")
    return value


def _agent(name: str, value: Any) -> bool | str:
    return value if isinstance(value, bool) else _path(name, value)


def _path(name: str, value: Any) -> str:
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} is a path, not a value of type {type(value).__name__}")
    return _text(name, os.fsdecode(value))


def _paths(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str | os.PathLike):
        value = (value,)
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise TypeError(f"{name} is a path or several, not a value of type {type(value).__name__}")
    return tuple(_path(name, each) for each in value)


def _keys(name: str, value: Any) -> tuple[Any, ...]:
    """Paths of files, and keys that were loaded by asyncssh, which knows itself what it takes."""
    several = value if isinstance(value, list | tuple) else (value,)
    return tuple(_path(name, key) if isinstance(key, str | os.PathLike) else key for key in several)


def _policy(name: str, value: Any) -> str:
    if value not in POLICIES:
        raise ValueError(f"{name} is one of {', '.join(map(repr, POLICIES))}, not {value!r}")
    return str(value)


def _jump(name: str, value: Any) -> str:
    told = ",".join(value) if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value) else value
    if _text(name, told).lower() != "none":
        for host in split(told):
            Spec.parse(host)
    return str(told)


def _python(name: str, value: Any) -> str:
    """A path or a name. Nothing of a shell's is in it, and no option."""
    _text(name, value)
    if value.startswith("-") or any(each.isspace() for each in value):
        raise ValueError(f"{name} is the path or the name of an interpreter, not {value!r:.80}")
    return str(value)


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "user": _text,
    "port": _port,
    "keys": _keys,
    "passphrase": _text,
    "password": _text,
    "known_hosts": _paths,
    "host_keys": _policy,
    "connect_timeout": _seconds,
    "keepalive": _seconds,
    "jump": _jump,
    "proxy_command": _text,
    "agent": _agent,
    "forward_agent": _flag,
    "config": _paths,
    "python": _python,
    "trust": _flag,
}
assert set(_CHECKS) == {field.name for field in dataclasses.fields(Given)}

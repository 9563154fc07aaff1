"""What a verb does on a host, from what its user has said: checked here, for one host and for many."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from elsewhere.fleet.commands.run import Sink
    from elsewhere.fleet.files.wanted import Get, Put
    from elsewhere.fleet.host import Host
    from elsewhere.fleet.options import Asked
    from elsewhere.fleet.results import Result

__all__ = ["Work", "getting", "putting", "running", "sudoing"]

T = TypeVar("T")
Work = Callable[["Host", "Sink | None"], Coroutine[Any, Any, T]]


def running(
    command: Any, detach: bool, options: Mapping[str, Any], timeout: float | None, *more: str
) -> tuple[Work[Result], str | None]:
    """`Host.run` and `Fleet.run`.

    Args:
        command, detach, options: as the user gave them.
        timeout: seconds, if the options do not say it.
        more: names of options that this verb takes besides.

    Returns:
        What is done on a host, and the encoding of what that writes.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """
    from elsewhere.fleet.commands.prepare import prepare
    from elsewhere.fleet.commands.run import run
    from elsewhere.fleet.options import CommandOptions, known

    known("run", options, CommandOptions, "detach", "output", *more)
    prepared = prepare(command, detach=detach, **{"timeout": timeout, **options})
    return lambda host, sink: run(host, prepared, sink), prepared.encoding


def sudoing(
    command: Any, password: Asked, detach: bool, options: Mapping[str, Any], timeout: float | None, *more: str
) -> tuple[Work[Result], str | None]:
    """`Host.sudo` and `Fleet.sudo`; as `running`."""
    from elsewhere.fleet.commands.sudo import prepare_sudo, run
    from elsewhere.fleet.options import SudoOptions, known

    known("sudo", options, SudoOptions, "password", "detach", "output", *more)
    asked = prepare_sudo(command, password=password, detach=detach, **{"timeout": timeout, **options})
    return lambda host, sink: run(host, asked, sink), asked.encoding


def putting(sources: Any, to: Any, options: Mapping[str, Any], timeout: float | None, *more: str) -> Put:
    """What `Host.put` and `Fleet.put` copy: a context manager; as `running`."""
    from elsewhere.fleet.files.wanted import prepare_put
    from elsewhere.fleet.options import CopyOptions, known

    known("put", options, CopyOptions, "progress", *more)
    return prepare_put(sources, to, **{"timeout": timeout, **options})


def getting(sources: Any, to: Any, options: Mapping[str, Any], timeout: float | None, *more: str) -> Get:
    """What `Host.get` and `Fleet.get` copy; as `running`."""
    from elsewhere.fleet.files.wanted import prepare_get
    from elsewhere.fleet.options import CopyOptions, known

    known("get", options, CopyOptions, "progress", *more)
    return prepare_get(sources, to, **{"timeout": timeout, **options})

"""A shell of a host at our terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["shell"]


def shell(host: Host, command: str | None = None) -> Any:
    """One, until it ends.

    Args:
        host: where.
        command: what is typed there first.
    """
    any_host: Any = host
    return any_host.shell() if command is None else any_host.shell(command)

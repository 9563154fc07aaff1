"""A shell of a host at our terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elsewhere.fleet import Host, Result

__all__ = ["LOGIN", "shell"]

LOGIN = 'exec "${SHELL:-/bin/sh}" -l'  # what opens a user's own shell


def shell(host: Host, command: str | None = None) -> Result:
    """One, until it ends.

    Args:
        host: where.
        command: what is run there first.

    Raises:
        whatever `Host.shell` does.
    """
    if command is None:
        return host.shell()
    return host.shell(f"{command}\n{LOGIN}")

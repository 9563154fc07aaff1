"""What ``~/.ssh/config`` says of a host: asyncssh's reading of it, and what asyncssh leaves out."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from elsewhere.fleet.naming.needed import load_asyncssh

__all__ = ["USUAL", "config_of"]

USUAL = ("~/.ssh/config", "/etc/ssh/ssh_config")


@cache
def _reader() -> Any:
    """Asyncssh's reader, which also knows StrictHostKeyChecking."""
    load_asyncssh()
    from asyncssh.config import SSHClientConfig

    class Reader(SSHClientConfig):  # type: ignore[misc, unused-ignore]  # Any where asyncssh is missing
        _handlers = {  # noqa: RUF012 - as in its base
            **SSHClientConfig._handlers,
            "stricthostkeychecking": ("StrictHostKeyChecking", SSHClientConfig._set_string),
            "hashknownhosts": ("HashKnownHosts", SSHClientConfig._set_string),
        }

    return Reader


def config_of(name: str, user: str | None, port: int | None, files: Sequence[str] = USUAL) -> Mapping[str, Any]:
    """What the files say of a host, by the names of ssh_config.

    Args:
        name: the host, as it was named.
        user, port: what was said with it, which goes before the files.
        files: in their order, the first that says something counts; those that are not there say nothing.

    Raises:
        ValueError: a file cannot be understood; says where.
    """
    paths = [path for path in map(os.path.expanduser, files) if os.path.isfile(path)]
    if not paths:
        return {}
    given = (getpass.getuser(), () if user is None else user, name, () if port is None else port)
    reader = _reader()
    try:
        found = reader.load(None, paths, False, False, False, *given)
        if found.has_match_final():
            found = reader.load(found, paths, True, False, True, *given)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the configuration of ssh cannot be read: {error}") from None
    options: Mapping[str, Any] = found.get_options(False)
    return options

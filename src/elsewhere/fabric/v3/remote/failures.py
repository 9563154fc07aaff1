"""What fails on the way to a host, so that task files catch it under the names that they know.

They catch what the original lets through: ``socket.gaierror``, and paramiko's own where they import that. An error of
ours is raised as one of both.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from typing import Any

from elsewhere.errors import ConnectError, ElsewhereError, HostKeyError, Unauthorized

__all__ = ["known_to_task_files"]


@contextlib.contextmanager
def known_to_task_files() -> Iterator[None]:
    """Errors of the block are raised as those that task files catch, too."""
    try:
        yield
    except (ConnectError, Unauthorized) as error:
        other = _other(error)
        if other is None:
            raise
        raise _both(error, other) from error.__cause__


def _other(error: ConnectError | Unauthorized) -> type[Exception] | None:
    """What the original would raise; of paramiko only if somebody has imported it."""
    if isinstance(error, ConnectError) and error.phase == "resolve":
        return socket.gaierror
    paramiko: Any = sys.modules.get("paramiko")
    if paramiko is None:
        return None
    if isinstance(error, Unauthorized):
        found = paramiko.AuthenticationException
    elif isinstance(error, HostKeyError):
        found = paramiko.BadHostKeyException if error.changed else paramiko.SSHException
    else:
        found = paramiko.SSHException if error.phase == "handshake" else None
    return found if isinstance(found, type) else None


def _both(error: ElsewhereError, other: type[Exception]) -> ElsewhereError:
    kind = type(type(error).__name__, (type(error), other), {"__doc__": type(error).__doc__})
    made: ElsewhereError = kind.__new__(kind, *error.args)
    made.args = error.args
    vars(made).update(vars(error))
    return made

"""An open file of this process that several have: who works with it, and the tickets of what is on its way.

Rule: the number is closed with the last reference, in whatever moment that is, and only if it is still that file.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import Any

__all__ = ["Descriptor"]


class Descriptor:
    """An open file of this process; closed with the last reference.

    Args:
        fd: its number, from now on this object's.

    Attributes:
        fd: its number; -1 if it is lost.
        inode: what it is.
        user: who works with it here: nobody else does when that has died.
        opened: the last serial whose receipt has come.
        when: and when that was.
        sent: when it was last pickled.
    """

    __slots__ = ("__weakref__", "fd", "inode", "opened", "sent", "user", "when")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.inode = os.fstat(fd).st_ino
        self.user: weakref.ref[Any] | None = None
        self.reset()
        # Not `__del__`, during which others can still get the object by a weak reference.
        closer = _Closer(self, _close)
        closer.fd, closer.inode = fd, self.inode
        _closers.add(closer)

    def reset(self) -> None:
        """It was never sent."""
        self.opened = 0
        self.when = self.sent = 0.0

    @property
    def orphan(self) -> bool:
        """Nobody here works with it any more."""
        return self.user is None or self.user() is None


class _Closer(weakref.ref[Descriptor]):
    __slots__ = ("fd", "inode")
    fd: int
    inode: int

    def close(self) -> None:
        """Once, however often it is called."""
        if getattr(self, "fd", -1) >= 0:  # else it was interrupted while it was made
            # Somebody may have closed the number behind our back, as daemons do, and it may be another file by now.
            with contextlib.suppress(OSError):
                if os.fstat(self.fd).st_ino == self.inode:
                    os.close(self.fd)
            self.fd = -1


_closers: set[_Closer] = set()


def _close(closer: _Closer) -> None:
    try:
        closer.close()
    finally:  # what a signal's handler raises in there is swallowed, as nobody has called this
        closer.close()
        _closers.discard(closer)


def _forked() -> None:
    """In a forked copy, whose tickets have numbers of their own."""
    for closer in list(_closers):
        descriptor = closer()
        if descriptor is not None:
            descriptor.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

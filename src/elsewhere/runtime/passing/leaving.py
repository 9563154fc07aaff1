"""The end of a worker: its results may name what only it has, so whoever waits for them takes that now."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable

__all__ = ["wait_at_exit"]

_registered: dict[Callable[[], None], int] = {}  # and the process that has


def wait_at_exit(wait: Callable[[], None]) -> None:
    """Have a worker call it as it ends.

    Once in each process: a worker clears what was registered before it was forked.
    """
    if _registered.get(wait) != os.getpid():
        _registered[wait] = os.getpid()
        atexit.register(_leave, wait)


def _leave(wait: Callable[[], None]) -> None:
    namespace = sys.modules.get("elsewhere.runtime.packing.namespace")
    if namespace is not None and namespace.current() is not None:
        wait()

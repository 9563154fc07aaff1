"""The first call of a program: asyncssh is loaded, and the host connected to, while all that a pool needs is loaded.

Both take a tenth of a second and more, half of which is spent on waiting: for programs that asyncssh runs to find
libraries, and for the host.

Rule: nothing is imported here that takes long.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from elsewhere.fleet.verbs.base import engine

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Early", "first", "warm"]

POOL = "elsewhere.fleet.calling.place"


def first() -> bool:
    """Is all that still to be loaded?"""
    return POOL not in sys.modules


def warm() -> None:
    """Have asyncssh loaded meanwhile."""
    if first():
        with contextlib.suppress(RuntimeError):  # the interpreter ends, and no thread can be started any more
            threading.Thread(target=_quietly, name="elsewhere-fleet-early", daemon=True).start()


def _quietly() -> None:
    with contextlib.suppress(Exception):  # whoever needs the engine is told
        engine()


class Early:
    """A connection that is begun.

    Args:
        host: to which; itself, and no view of it.

    Attributes:
        done: it is there, or cannot be had.
    """

    def __init__(self, host: Host) -> None:
        self.done: Future[None] = Future()
        self._host = host
        try:
            threading.Thread(target=self._begin, name="elsewhere-fleet-early", daemon=True).start()
        except RuntimeError:  # as above
            self.done.set_result(None)

    def _begin(self) -> None:
        try:
            loop = engine().loop
            loop.call_soon_threadsafe(lambda: loop.create_task(self._connect()))
        except Exception:  # noqa: BLE001 - whoever needs the engine is told
            self.done.set_result(None)

    async def _connect(self) -> None:
        host = self._host
        del self._host
        try:
            await host.link.connection()
        except Exception as error:  # noqa: BLE001 - it is that of the call
            self.done.set_exception(error)
        except BaseException:
            self.done.set_result(None)
            raise
        else:
            self.done.set_result(None)

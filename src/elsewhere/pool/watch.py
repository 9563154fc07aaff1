"""What all pools of this process share: their end with the interpreter, and SIGUSR1.

Rule: nothing here keeps a pool alive.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import os
import signal
import sys
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from elsewhere.runtime.driving.signals import harmless

if TYPE_CHECKING:
    from elsewhere.pool.pool import Pool

__all__ = ["add"]

LAST_WAIT = 1.0  # seconds for the workers of a forgotten pool to go

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
_lock = threading.RLock()  # a signal handler may make a pool, too
_registered = False
_handling = False


def add(pool: Pool) -> None:
    """A pool was made."""
    global _registered
    with _lock:
        _pools.add(pool)
        if not _registered:
            _registered = True
            atexit.register(_at_exit)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=_disown)
    _handle_dump_signal()


def _disown() -> None:
    """In a forked child: the pools are its parent's."""
    for pool in list(_pools):
        pool._foreign = True


def _at_exit() -> None:
    """Pools that nobody closed drop their work, and say how much."""
    for pool in list(_pools):
        if pool._pid != os.getpid():
            continue
        if not pool._driver.join(0):
            lost = _unfinished(pool)
            if lost and not pool._driver.scheduler.terminated:
                warnings.warn(
                    f"{lost} calls were lost: the interpreter ended while a pool was still open. Use the pool in a "
                    "with block, or wait for the results",
                    RuntimeWarning,
                    stacklevel=1,
                )
            pool._closed = True
            pool._driver.terminate()
    for pool in list(_pools):
        if pool._pid == os.getpid():
            pool._driver.join(LAST_WAIT)


def _unfinished(pool: Pool) -> int:
    """Calls without an outcome, those that were submitted a moment ago included."""
    heard = threading.Event()
    pool._driver.post(heard.set)
    heard.wait(LAST_WAIT)
    return pool._driver.scheduler.unfinished


def _handle_dump_signal() -> None:
    """SIGUSR1 dumps every stack, here and in the workers; only where nobody else handles it."""
    global _handling
    if _handling or not hasattr(signal, "SIGUSR1") or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        signal.signal(signal.SIGUSR1, _dump)
        _handling = True


@harmless
def _dump(signum: int, frame: Any) -> None:
    with contextlib.suppress(Exception):
        faulthandler.dump_traceback(sys.__stderr__ or 2, all_threads=True)
    for pool in list(_pools):
        dump = getattr(pool._driver, "dump_workers", None)
        if dump is not None and pool._pid == os.getpid():
            dump()

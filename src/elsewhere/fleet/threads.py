"""The loop's threads, for the little that cannot wait on the loop: names that are looked up, and signatures of RSA."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

__all__ = ["Threads"]

MOST = 16  # threads; names are looked up one after the other in each


class Threads(ThreadPoolExecutor):
    """As its base; but asyncssh's options are made at once, which takes less than waking a thread.

    And when the interpreter ends, at which time no thread can be started any more, other threads of the program may
    still use hosts: then the loop does all itself.
    """

    def __init__(self) -> None:
        super().__init__(MOST, "elsewhere-fleet-names")

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if not (isinstance(fn, functools.partial) and isinstance(fn.func, type)):
            try:
                return super().submit(fn, *args, **kwargs)
            except RuntimeError:
                if self._shutdown:
                    raise
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            done.set_exception(error)
        return done

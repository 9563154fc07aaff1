"""Methods of objects that may do anything: a thread for each thread of a client that calls some.

Rule: calls of one client's thread run in one thread here, one after the other, as in multiprocessing: what is owned by
threads (an RLock of the user's) is owned by who called. Results go back to the serving thread, which answers.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from traceback import format_exc
from typing import Any

__all__ = ["Lane"]


class Lane:
    """See the module."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True, name="elsewhere-lane").start()

    def close(self) -> None:
        """The client has gone; what runs is not interrupted."""
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work

    def do(self, call: Any, obj: Any, method: str, args: Any, kwds: Any, typeid: str | None) -> None:
        """Call a method."""

        def work() -> None:
            try:
                value = getattr(obj, method)(*args, **kwds)
            except BaseException as error:  # noqa: BLE001 - the caller's to handle, also a SystemExit
                failed = error
                self._server.soon(lambda: self._server.fail(call, failed))
            else:
                self._server.soon(lambda: self._finish(call, obj, method, value, typeid))

        self._work.put(work)

    def _finish(self, call: Any, obj: Any, method: str, value: Any, typeid: str | None) -> None:
        if call.client.sock is None and isinstance(obj, queue.Queue) and method in {"get", "get_nowait"}:
            with obj.mutex:  # its client was killed while it waited: the item is for somebody else
                obj.queue.appendleft(value)
                obj.not_empty.notify()
            return
        self._server.done(call, value, typeid)

    def make(self, call: Any, function: Callable[..., Any], typeid: str, args: Any, kwds: Any) -> None:
        """Make an object."""

        def work() -> None:
            try:
                obj = function(*args, **kwds)
            except Exception:  # noqa: BLE001 - the caller's to handle
                text = format_exc()
                self._server.soon(lambda: self._server.told(call, text))
            else:
                self._server.soon(lambda: self._server.made(call, typeid, obj))

        self._work.put(work)

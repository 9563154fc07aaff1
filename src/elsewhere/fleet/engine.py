"""The thread and the loop on which all that waits for hosts runs; one for a process.

Rule: no coroutine here ever blocks, and nothing outside this room sees one: a verb of the user's becomes a coroutine,
and its outcome a `Future`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from elsewhere.fleet.link.link import Links
from elsewhere.fleet.naming.needed import load_asyncssh
from elsewhere.fleet.threads import Threads
from elsewhere.runtime.driving.loops import new_loop, run_loop
from elsewhere.runtime.future import Future

__all__ = ["Engine", "engine"]

T = TypeVar("T")
GRACE = 6.0  # seconds for what is cancelled to end what runs on the far side


class Engine:
    """See the module; the owner of its futures.

    Attributes:
        loop: all coroutines run on it.
        links: connections to hosts.
    """

    stops_running = True

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = new_loop()
        self.loop.set_default_executor(Threads())
        self.links = Links()
        self._callbacks: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=run_loop, args=(self.loop,), name="elsewhere-fleet", daemon=True)
        self._thread.start()

    def submit(
        self, work: Callable[[], Coroutine[Any, Any, T]], leave: Callable[[], object] | None = None
    ) -> Future[T]:
        """Run a coroutine on the loop; cancelling the future cancels it.

        Args:
            work: makes it.
            leave: called in a thread when it is over, also if it was cancelled before it began.
        """
        job: list[asyncio.Task[T]] = []
        future: Future[T] = Future(self, 0, job)

        def begin() -> None:
            if future.done():
                if leave is not None:
                    self.loop.run_in_executor(None, leave)
                return
            task = self.loop.create_task(work() if leave is None else self._leaving(work, leave))
            job.append(task)
            task.add_done_callback(lambda task: _tell(future, task))

        self.loop.call_soon_threadsafe(begin)
        return future

    async def _leaving(self, work: Callable[[], Coroutine[Any, Any, T]], leave: Callable[[], object]) -> T:
        try:
            return await work()
        finally:
            await self.loop.run_in_executor(None, leave)  # it may draw, on a terminal that stands still

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the loop and wait for it.

        What a signal's handler raises (Ctrl-C) cancels it first, so that nothing is left running on the far side.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("a verb that waits was called on the fleet's own loop: use its _async form")
        ended = threading.Event()

        async def whole() -> T:
            try:
                return await work()
            finally:
                ended.set()

        future = self.submit(whole)
        try:
            return future.result()
        except BaseException:
            if not future.done() and future.cancel() and future._index == 0:
                ended.wait(GRACE)
            raise

    # ---- what futures ask of their owner: see `runtime.future.Owner` -------------------------------------------------

    def forget(self, job: Any, index: int) -> None:
        """A future was cancelled."""

        def cancel() -> None:
            for task in job or ():
                task.cancel()

        self.loop.call_soon_threadsafe(cancel)

    def is_running(self, job: Any, index: int) -> bool:
        return bool(job)

    def later(self, work: Callable[[], None]) -> None:
        with self._lock:
            if self._callbacks is None:
                self._callbacks = ThreadPoolExecutor(1, "elsewhere-fleet-callbacks")
        self._callbacks.submit(work)

    def wait_for(self, future: Any, timeout: float | None) -> bool:
        with future._condition:
            return bool(future._condition.wait_for(future.done, timeout))

    def attend(self) -> None:
        """The loop runs anyway."""

    def end(self) -> None:
        """Stop the thread; what runs is cancelled."""
        self.call(self.links.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(GRACE)  # a name that is still looked up holds up nobody
        if self._callbacks is not None:
            self._callbacks.shutdown()


def _tell(future: Future[Any], task: asyncio.Task[Any]) -> None:
    if task.cancelled():
        future._tell("CANCELLED", None, None)
        return
    error = task.exception()
    future._tell("FINISHED", None if error else task.result(), error)


_engine: Engine | None = None
_lock = threading.Lock()


def engine() -> Engine:
    """This process's; made when it is first needed, and anew after a fork."""
    global _engine
    with _lock:
        if _engine is None or _engine.pid != os.getpid():
            load_asyncssh()  # before the loop is there, which it would hold up
            _engine = Engine()
        return _engine


def _forked() -> None:
    global _engine, _lock
    _engine, _lock = None, threading.Lock()  # the parent's thread is not here


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

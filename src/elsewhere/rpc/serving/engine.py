"""A service while it runs: what its sessions share.

Rule: an engine is made when a service starts and ended with it. It has the loop and the pool that methods run in, each
made when the first call needs it.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any, NamedTuple

from elsewhere.errors import NeverStarted
from elsewhere.rpc import dialect
from elsewhere.rpc.serving.caller import current
from elsewhere.rpc.serving.methods.registry import Method
from elsewhere.rpc.serving.session import Call

if TYPE_CHECKING:
    import asyncio

    from elsewhere.rpc.service import Service
    from elsewhere.rpc.serving.loop.team import Team

__all__ = ["Engine", "Limits"]

_log = logging.getLogger("elsewhere.rpc")
# Lower priority of workers that compute. With the usual one, a quick method's 99th percentile beside one of them is
# 1.3 ms instead of 0.07, since Linux lets who computes end its slice; with 10 it is 0.1; 5 is too little.
NICE = 10
PATIENCE = 2.0  # seconds for the loop's thread to end
ASIDE = 4  # threads for work of our own: more would only take turns


class Limits(NamedTuple):
    """What peers may use; `Service` describes each."""

    connections: int
    size: int
    calls: int
    threads: int
    idle: float | None
    handshake: float
    send: float


class Engine:
    """What the sessions of a running service share.

    Args:
        service: it.
        loop: connections live on this loop, and plain functions of "loop" run where they are read.

    Attributes:
        methods: by name, the service's own dict.
        token: that peers must send, or None.
        closing: no call is begun any more.
        on_loop: see `loop`.
        decoders: those of connections that are idle.
        others: what was called in other processes that serve the same addresses; see `Source.told`.
    """

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.service = service
        self.methods = service._registry.methods
        self.limits: Limits = service._limits
        self.token: bytes | None = service._token
        self.traceback: bool = service._traceback
        self.closing = self._ended = False
        self.decoders: list[Any] = []
        self.others: Callable[[], list[dict[str, list[Any]]]] = list
        self.on_loop = loop is not None
        self._lock = threading.Lock()
        self._loop = loop
        self._loop_thread: threading.Thread | None = None
        self._pool: Any = None
        self._teams: dict[str, Team] = {}

    def hello(self) -> dict[str, Any]:
        """What a service says of itself."""
        return {
            "version": dialect.VERSION,
            "name": self.service.name,
            "features": list(dialect.FEATURES),
            "idempotent": [name for name, method in list(self.methods.items()) if method.idempotent],
        }

    def runs_here(self, method: Method) -> bool:
        """Does it run where its connection is read?"""
        if self.on_loop:
            return method.where == "loop" and not method.asynchronous
        return method.where == "threads"

    # ---- coroutines --------------------------------------------------------------------------------------------------

    def run_on_loop(self, call: Call, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Run a method on the loop."""
        from elsewhere.rpc.serving.loop.running import begin

        loop = self.started_loop()
        if self.on_loop:
            begin(loop, call, args, kwargs)
        else:
            loop.call_soon_threadsafe(begin, loop, call, args, kwargs)

    def started_loop(self) -> asyncio.AbstractEventLoop:
        """The loop, which is started if nobody has needed it yet.

        Raises:
            NeverStarted: the service is closing.
        """
        if self._loop is not None:
            return self._loop
        from elsewhere.runtime.driving.loops import new_loop, run_loop

        with self._lock:
            if self.closing and self._loop is None:
                raise NeverStarted("the service is closing")
            if self._loop is None:
                self._loop = new_loop()
                self._loop_thread = threading.Thread(
                    target=run_loop, args=(self._loop,), name="elsewhere-rpc-loop", daemon=True
                )
                self._loop_thread.start()
            return self._loop

    # ---- threads, where connections live on a loop -------------------------------------------------------------------

    @property
    def team(self) -> Team:
        """Threads for methods that would hold a loop up; raises `NeverStarted` when the service has ended."""
        return self._teams.get("team") or self._new_team("team", self.limits.threads)

    @property
    def aside(self) -> Team:
        """A few threads for work of our own that would hold a loop up; as `team`."""
        return self._teams.get("aside") or self._new_team("aside", ASIDE)

    def _new_team(self, name: str, most: int) -> Team:
        from elsewhere.rpc.serving.loop.team import Team

        with self._lock:
            if self._ended:
                raise NeverStarted("the service has ended")
            return self._teams.setdefault(name, Team(most, f"elsewhere-rpc-{name}"))

    def run_in_thread(self, call: Call, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Run a method, which was registered after the server had been started on a loop, in a thread."""
        context = contextvars.copy_context()
        context.run(current.set, call)
        settled: Future[Any] = Future()

        def work() -> None:
            try:
                settled.set_result(context.run(call.method.fn, *args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - it is the caller's, whatever it is
                settled.set_exception(error)
            self._settle(call, settled)

        call.stopped_by(self.team.submit(work).abandon)

    def _settle(self, call: Call, future: Any, *, ran: bool = True) -> None:
        """Answer a call with the outcome of a future, in the thread that answers."""
        if self.on_loop and self._loop is not None and not call.anywhere:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and so have the connections
                self._loop.call_soon_threadsafe(_settled, call, future, ran)
        else:
            _settled(call, future, ran)

    def lend(self, count: int) -> None:
        """So many of these threads more wait for their callers, and do not count."""
        team = self._teams.get("team")
        if team is not None:
            team.lend(count)

    # ---- processes ---------------------------------------------------------------------------------------------------

    def run_in_pool(self, call: Call, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Run a method in its pool."""
        pool = call.method.pool or self.service._pool or self._pool
        if pool is not None:
            self._submit(pool, call, args, kwargs)
            return
        # Making one takes 0.1 s, for which who reads the connection, and on a loop everybody, would wait.
        threading.Thread(
            target=self._submit_first, args=(call, args, kwargs), name="elsewhere-rpc-pool", daemon=True
        ).start()

    def _submit(self, pool: Any, call: Call, args: list[Any], kwargs: dict[str, Any]) -> None:
        name, limit = call.method.name, call.limit
        view = pool.options(name=name) if limit is None else pool.options(timeout=limit, name=name)
        future = view.submit(call.method.fn, *args, **kwargs)
        future.add_done_callback(lambda future: self._settle(call, future))
        call.stopped_by(future.cancel)

    def _submit_first(self, call: Call, args: list[Any], kwargs: dict[str, Any]) -> None:
        try:
            self._submit(self._own_pool(), call, args, kwargs)
        except BaseException as error:  # noqa: BLE001 - it could not be begun: its caller is told
            failed: Future[Any] = Future()
            failed.set_exception(error)
            self._settle(call, failed, ran=False)

    def _own_pool(self) -> Any:
        with self._lock:
            if self._pool is None:
                if self.closing:
                    raise NeverStarted("the service is closing")
                from elsewhere.pool.pool import Pool

                self._pool = Pool(self.service._pool_size, initializer=give_way)
            return self._pool

    # ---- the end -----------------------------------------------------------------------------------------------------

    def mine(self) -> bool:
        """Is the calling thread one that was started here?"""
        return threading.current_thread() is self._loop_thread or any(
            team.mine() for team in list(self._teams.values())
        )

    def end(self) -> None:
        """Stop what is left: the loop's tasks are cancelled, the pool that was made on demand is terminated."""
        with self._lock:
            self.closing = self._ended = True
            loop, thread, pool, teams = self._loop, self._loop_thread, self._pool, self._teams
            self._loop_thread = self._pool = None
            self._teams = {}
        if loop is not None and thread is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(loop.stop)
            thread.join(PATIENCE)  # a method that blocks it does not hold up the end for ever
        for team in teams.values():
            team.end()
        if pool is not None:
            pool.terminate()
            pool.join()


def _settled(call: Call, future: Any, ran: bool) -> None:
    if future.cancelled():
        call.session.finish(call, None, CancelledError("the service has stopped it"))
        return
    error = future.exception()
    call.session.finish(call, None if error else future.result(), error, ran=ran)


def give_way() -> None:
    """In a worker of the pool that is made on demand: what computes lets those pass who read and answer."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICE)

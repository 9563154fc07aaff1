"""Connections of HTTP on a service's loop.

Rule: a connection lives on the loop's thread. How it comes, and how many there may be, is the business of who accepts
it; what a request asks for is the application's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from elsewhere.rpc.serving.arrivals import Arrival
from elsewhere.rpc.serving.engine import Engine
from elsewhere.rpc.serving.loop.opening import Opening
from elsewhere.rpc.web.app import App
from elsewhere.rpc.web.listening.watched import Watched

__all__ = ["Web"]

_log = logging.getLogger("elsewhere.rpc")
IDLE = 75.0  # seconds that a connection without a request stays, where the service does not say
PATIENCE = 2.0  # seconds for the loop to do what it was asked at the end


class Web:
    """Serves connections that others accept.

    Args:
        engine: of the service.
        loop: that they live on.
        bound: hosts of the addresses that are listened at.
        gone: is called when a connection is over.
        page: show the page.
    """

    def __init__(
        self,
        engine: Engine,
        loop: asyncio.AbstractEventLoop,
        bound: Iterable[str],
        gone: Callable[[], object],
        *,
        page: bool,
    ) -> None:
        self._engine = engine
        self._loop = loop
        self._gone = gone
        self._app = App(engine, bound, page=page)
        limits = engine.limits
        self._config = Config(
            self._app,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=IDLE if limits.idle is None else limits.idle,  # type: ignore[arg-type]  # a loop's clock takes it
        )
        self._config.load()
        self._state = ServerState()
        self._second = 0
        self._connections: set[Watched] = set()
        self._taken = self._seen = 0  # connections that another thread has handed over; each is counted by one thread
        self._opening = Opening(loop, limits.handshake, gone, self._look_whether_all_have_gone)
        self._period = min(limits.handshake, limits.send) / 2
        self._due = 0.0  # when it is to look at the connections
        self._sweeping = self._closing = False
        self._empty = threading.Event()

    @property
    def count(self) -> int:
        """Connections that there are, and those that were taken a moment ago."""
        return len(self._connections) + len(self._opening) + self._taken - self._seen

    def take(self, arrival: Arrival) -> None:
        """Serve a connection; from one thread, which need not be the loop's."""
        self._taken += 1
        try:
            self._loop.call_soon_threadsafe(self._take, arrival)
        except RuntimeError:  # the loop has ended
            arrival.sock.close()
            self._gone()

    def _take(self, arrival: Arrival) -> None:
        self._seen += 1
        self.open(arrival)

    def open(self, arrival: Arrival) -> None:
        """As `take`, on the loop's thread."""
        if self._closing:
            arrival.sock.close()
            self._gone()
        else:
            self._opening.begin(arrival, lambda: Watched(self, self._protocol(), arrival.label))

    def _protocol(self) -> Any:
        make: Any = self._config.http_protocol_class
        return make(config=self._config, server_state=self._state, app_state={}, _loop=self._loop)

    # ---- what connections tell ---------------------------------------------------------------------------------------

    def came(self, connection: Watched) -> None:
        """It is open."""
        self._connections.add(connection)
        if self._closing:
            self._loop.call_soon(connection.dismiss)
        if not self._sweeping:
            self._sweep_later()

    def went(self, connection: Watched) -> None:
        """It is over."""
        self._connections.discard(connection)
        self._gone()
        self._look_whether_all_have_gone()

    def tick(self) -> None:
        """Something came: the time that answers show is to be right."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._state.default_headers = [(b"date", formatdate(second, usegmt=True).encode())]

    def _sweep(self) -> None:
        now, limits = time.monotonic(), self._engine.limits
        if now - self._due < self._period / 2:  # else this loop stood still, and what has come was not read yet
            for connection in list(self._connections):
                connection.look(now, limits.handshake, limits.send)
        self._sweeping = False
        if self._connections:
            self._sweep_later()

    def _sweep_later(self) -> None:
        self._sweeping = True
        self._due = time.monotonic() + self._period
        self._loop.call_later(self._period, self._sweep)

    # ---- the end -----------------------------------------------------------------------------------------------------

    def dismiss(self) -> None:
        """Let what runs end, and take nothing more; from any thread."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._dismiss)

    def _dismiss(self) -> None:
        self._closing = True
        for connection in list(self._connections):
            connection.dismiss()
        self._look_whether_all_have_gone()

    def drain(self, seconds: float) -> bool:
        """Wait until all that was dismissed has ended; False if it has not in time."""
        deadline = time.monotonic() + seconds
        return self._empty.wait(seconds) and self._app.traffic.drain(max(0.0, deadline - time.monotonic()))

    def hurry(self) -> None:
        """`drain` is to wait no longer."""
        self._empty.set()
        self._app.traffic.hurry()

    def _look_whether_all_have_gone(self) -> None:
        if self._closing and not self._connections and not self._opening:
            self._empty.set()

    def stop(self) -> None:
        """End everything now."""
        done = threading.Event()

        def stop() -> None:
            self._closing = True
            for connection in list(self._connections):
                connection.end("the service has ended")
            self._loop.call_soon(self._loop.call_soon, done.set)  # what is called on lost connections has its turn

        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(stop)
            done.wait(PATIENCE)

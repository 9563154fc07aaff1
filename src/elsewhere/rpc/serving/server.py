"""A service that runs in the background of this process.

Rule: whatever happens, `close` ends everything that was started: threads, loop, pool, sockets.
"""

from __future__ import annotations

import math
import os
import select
import threading
import time
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from elsewhere.rpc.serving.arrivals import Source
from elsewhere.rpc.serving.engine import Engine
from elsewhere.transport.address import HTTP, STREAMS, Address

if TYPE_CHECKING:
    from elsewhere.rpc.service import Service
    from elsewhere.rpc.web.listening.serving import Web

__all__ = ["DRAIN", "Running", "Server", "Serving", "check_drain"]

DRAIN = 10.0  # seconds for calls that run when a server is closed


class Serving(Protocol):
    """What serves connections: on threads, or on a loop.

    Attributes:
        web: what serves those of HTTP, which it is handed; None if there are none.
    """

    web: Web | None

    def start(self) -> None:
        """Accept from now on."""

    def stop_accepting(self) -> None:
        """Accept no more."""

    def drain(self, seconds: float) -> bool:
        """Let what runs end, and refuse what comes; True if all of it has ended in time."""

    def hurry(self) -> None:
        """`drain` is to wait no longer."""

    def stop(self) -> None:
        """End everything now."""

    def mine(self) -> bool:
        """Is the calling thread one of its own?"""


class Running:
    """A running service, as `Service.start` gives it; a context manager that closes it.

    Attributes:
        addresses: where it listens, with the ports that were found: each can be given to `connect`.
    """

    def __init__(self, service: Service, arrivals: Source) -> None:
        self.addresses: list[str] = arrivals.addresses
        self._service = service
        self._arrivals = arrivals
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._closing = False
        self._closed_calls: list[Callable[[], object]] = []
        service._servers.append(self)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is closed; False when `timeout` seconds are over."""
        return self._ended.wait(timeout)

    def close(self, drain: float = DRAIN) -> None:
        """Accept nothing more, let calls that run end, and close the connections.

        A method of the service may call this, too; then it does not wait, and is answered.

        Args:
            drain: seconds for them; then the connections are closed all the same. A method in a thread that does not
                end is left to itself.
        """
        check_drain(drain)
        if os.getpid() != self._pid:
            return  # a forked copy: its threads, and the connections, are the other process's
        if self._mine():  # who runs for it cannot wait for its own end
            threading.Thread(target=self.close, args=(drain,), name="elsewhere-rpc-close").start()
            return
        with self._lock:
            first, self._closing = not self._closing, True
        if not first:
            self._ended.wait()
            return
        try:
            self._close(time.monotonic() + drain)
        finally:
            self._service._servers.remove(self)
            self._ended.set()
            for work in self._closed_calls:
                work()

    def hurry(self) -> None:
        """If it is being closed: wait no longer for calls that run."""
        raise NotImplementedError

    def when_closed(self, work: Callable[[], object]) -> None:
        """Call `work` when it is closed."""
        with self._lock:
            self._closed_calls.append(work)
            closed = self._ended.is_set()
        if closed:
            work()

    def _close(self, deadline: float) -> None:
        raise NotImplementedError

    def _mine(self) -> bool:
        """Is the calling thread one that runs methods here?"""
        return False

    def told(self) -> list[dict[str, list[Any]]]:
        """What was called in other processes, as `merged` wants it."""
        return []

    @property
    def pids(self) -> list[int]:
        """The process ids of those that serve."""
        return [self._pid]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(DRAIN if kind is None else 0.0)

    def __repr__(self) -> str:
        state = "closed" if self._ended.is_set() else "closing" if self._closing else "serving"
        return f"<Server of {self._service.name!r}, {state} at {', '.join(self.addresses)}>"

    def __del__(self) -> None:
        if not self.__dict__.get("_closing", True) and self._pid == os.getpid():
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)


class Server(Running):
    """One that serves in this process."""

    def __init__(self, service: Service, arrivals: Source) -> None:
        super().__init__(service, arrivals)
        try:
            self._engine, self._serving = make_serving(service, arrivals)
            try:
                self._serving.start()
            except BaseException:
                self._engine.end()
                raise
        except BaseException:  # no thread can be started, or no descriptor is left
            self._closing = True
            service._servers.remove(self)
            arrivals.close()
            raise

    def hurry(self) -> None:
        """If it is being closed: wait no longer for calls that run."""
        if self._closing:
            self._serving.hurry()
            if self._serving.web is not None:
                self._serving.web.hurry()

    def _close(self, deadline: float) -> None:
        self._engine.closing = True
        serving, web = self._serving, self._serving.web
        try:
            serving.stop_accepting()
            self._arrivals.close()
            if web is not None:
                web.dismiss()
            serving.drain(max(0.0, deadline - time.monotonic()))
            if web is not None:
                web.drain(max(0.0, deadline - time.monotonic()))
        finally:
            if web is not None:
                web.stop()
            serving.stop()
            self._engine.end()

    def _mine(self) -> bool:
        return self._serving.mine() or self._engine.mine()


def check_drain(drain: Any) -> None:
    """Raise unless it is a number of seconds."""
    if not isinstance(drain, int | float) or isinstance(drain, bool) or not 0 <= drain < math.inf:
        raise ValueError(f"drain is a number of seconds from 0 up, not {drain!r}")


def make_serving(service: Service, arrivals: Source) -> tuple[Engine, Serving]:
    """The engine of a service and what serves its connections, by where its methods run and what is spoken."""
    methods = service._registry.methods.values()
    known = [Address.parse(each, (*STREAMS, *HTTP)) for each in arrivals.addresses]
    http = [each for each in known if each.scheme in HTTP]
    only_web = bool(http) and len(http) == len(known)
    if not hasattr(select, "epoll") or only_web or (methods and all(method.where != "threads" for method in methods)):
        from elsewhere.rpc.serving.loop.server import LoopServing

        on_loop = LoopServing(service, arrivals)
        if http:
            on_loop.web = _web(on_loop.engine, on_loop.loop, http, arrivals)
        return on_loop.engine, on_loop
    from elsewhere.rpc.serving.threads.reactor import Reactor

    engine = Engine(service)
    reactor = Reactor(engine, arrivals)
    if http:
        reactor.web = _web(engine, engine.started_loop(), http, arrivals)
    return engine, reactor


def _web(engine: Engine, loop: Any, addresses: list[Address], arrivals: Source) -> Web:
    """What serves HTTP. The page is shown to who knows the token, or comes from this machine."""
    from elsewhere.rpc.web.listening.serving import Web

    engine.others = arrivals.told
    page = engine.service._page
    if page is None:
        page = engine.token is not None or all(each.loopback or arrivals.certified for each in addresses)
    return Web(engine, loop, [each.host for each in addresses], arrivals.gone, page=page)

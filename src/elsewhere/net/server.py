"""`Server`: a handler behind some addresses."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from elsewhere.net.limits import DATAGRAM, MESSAGE, Limits, Statistics, count, seconds
from elsewhere.net.serving.flag import Flag
from elsewhere.net.serving.handlers import Handler
from elsewhere.net.serving.signals import Signals
from elsewhere.transport.address import Address
from elsewhere.transport.listening import Listener, require_safe
from elsewhere.transport.tls import TLS

if TYPE_CHECKING:
    from elsewhere.net.serving.loop import Loop
    from elsewhere.net.serving.threads import Threads

__all__ = ["Server"]

log = logging.getLogger("elsewhere.net")
LONGEST_HANDSHAKE = 3600.0  # seconds, for who wants no bound; TLS wants one
DRAIN = 10.0  # seconds that handlers have to finish, when the server closes


class Server:
    r"""Runs a handler for each connection, or for each datagram.

    For ``tcp://``, ``tls://`` and ``unix://`` addresses, ``handler(connection)`` runs in a thread and owns the
    connection, which is closed when it returns. A coroutine function, ``handler(reader, writer)``, runs on an event
    loop of the server's own, with the streams of asyncio. For ``udp://``, ``handler(data, sender)`` or
    ``handler(data)`` takes one datagram, and the bytes it returns are the reply. A handler that raises ends its
    connection, and is logged under ``elsewhere.net``.

    Args:
        handler: a function, or a coroutine function.
        addresses: where to listen, one or more; port 0 picks a free one, and `addresses` says which. ``localhost``
            listens in both families. All of them are streams, or all are ``udp://``.
        where: ``"threads"`` or ``"loop"``; coroutine functions always run on the loop. A datagram handler that runs
            there though it is a plain function must not wait for anything.
        tls: the certificate for ``tls://`` addresses, and whom they believe.
        insecure: listen where other machines come, though without TLS and client certificates.
        max_connections: open at once; more wait in the system's queue until one ends. With UDP, datagrams that are
            being answered.
        idle_timeout: seconds that a connection may wait for its client, to send or to read; then the handler gets a
            `SocketTimeout`. None: no bound.
        handshake_timeout: seconds for TLS's.
        max_size: the most bytes that ``recv_exactly`` gathers, 64 MiB if left out; and of a datagram, 65,507.

    Raises:
        TypeError, ValueError: what is wrong with the handler, an address or a number.

    Example::

        def shout(connection):
            while line := connection.recv_until(b"\n"):
                connection.sendall(line.upper())


        with net.Server(shout, "tcp://localhost:7000") as server:
            server.serve_forever()
    """

    def __init__(
        self,
        handler: Callable[..., Any],
        *addresses: str | Address,
        where: str = "threads",
        tls: TLS | None = None,
        insecure: bool = False,
        max_connections: int = 1000,
        idle_timeout: float | None = 300.0,
        handshake_timeout: float = 10.0,
        max_size: int | None = None,
    ) -> None:
        if not addresses:
            raise TypeError("a server needs an address: Server(handler, 'tcp://localhost:0')")
        found = tuple(Address.parse(address) for address in addresses)
        datagrams = [address.scheme == "udp" for address in found]
        if any(datagrams) and not all(datagrams):
            raise ValueError("a handler serves streams or datagrams: udp:// addresses need a Server of their own")
        require_safe(found, tls=tls, authenticated=False, insecure=insecure)
        encrypted = any(address.scheme == "tls" for address in found)
        if tls is not None and not encrypted:
            raise ValueError("tls= is for addresses that begin with tls://, and there is none")
        self._context = (tls or TLS()).for_server() if encrypted else None
        self._handler = Handler.of(handler, datagrams=datagrams[0], where=where)
        self._loop = where == "loop" or self._handler.coroutine
        if self._loop and self._context is not None and (tls is None or tls.context is None):
            from elsewhere.transport.secure import ToldObject

            self._context.sslobject_class = ToldObject
        self._limits = Limits(
            count(max_connections, "max_connections"),
            seconds(idle_timeout, "idle_timeout", positive=True),
            seconds(handshake_timeout, "handshake_timeout", positive=True) or LONGEST_HANDSHAKE,
            (DATAGRAM if datagrams[0] else MESSAGE) if max_size is None else count(max_size, "max_size"),
        )
        self._addresses = found
        self._running: Loop | Threads | None = None
        self._counted = Statistics()
        self._mutex = threading.Lock()
        self._closed = False
        self._served: set[Flag] = set()  # set by `close`, for each `serve_forever`

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens, as URLs that `connect` takes; once started, with the ports that were found."""
        return self._addresses

    def statistics(self) -> Statistics:
        """What it has counted so far."""
        running = self._running
        return running.statistics() if running is not None else self._counted

    def start(self) -> Self:
        """Listen, and serve in the background.

        Raises:
            OSError: an address is in use, is not of this machine, or may not be used; says so in a sentence.
            RuntimeError: it has been started before.
        """
        with self._mutex:
            if self._running is not None or self._closed:
                raise RuntimeError(f"{self!r} was started before; make another one")
            listeners: list[Listener] = []
            try:
                listeners.extend(Listener(address) for address in self._addresses)
                running = self._place()(listeners, self._handler, self._limits, self._context)
                running.start()
            except BaseException:
                for listener in listeners:
                    listener.close()
                raise
            self._running = running
            self._addresses = tuple(listener.address for listener in listeners)
        log.info("listening at %s", ", ".join(map(str, self._addresses)))
        return self

    def _place(self) -> type[Loop | Threads]:
        if self._loop:
            from elsewhere.net.serving.loop import Loop  # asyncio takes a while to load

            return Loop
        from elsewhere.net.serving.threads import Threads

        return Threads

    def serve_forever(self, drain: float = DRAIN) -> signal.Signals | None:
        """Serve until `close` is called, or in the main thread until SIGTERM or SIGINT; starts it if need be.

        On such a signal it accepts no more, finishes what runs, and closes; a second one closes at once.

        Args:
            drain: seconds to finish what runs.

        Returns:
            The signal that ended it; None if it was `close`.
        """
        bound = seconds(drain, "drain")
        with Signals() as signals:
            with self._mutex:
                begun = self._running is not None or self._closed
                self._served.add(signals.first)
            try:
                if not begun:
                    self.start()
                if not self._closed:
                    signals.wait(signals.first)
                self._close(bound, signals)
            finally:
                self._served.discard(signals.first)
            return signals.number

    def close(self, drain: float = DRAIN) -> None:
        """Accept no more, finish what runs, and close.

        A handler that waits for the next message, with nothing of it there, finds the end of the file at once.
        A handler may call this, too; then it does not wait.

        Args:
            drain: seconds until connections whose handler still runs are closed all the same.
        """
        bound = seconds(drain, "drain")
        running = self._running
        if running is not None and running.mine():  # a handler, which cannot wait for itself
            threading.Thread(target=self._close, args=(bound, None), name="elsewhere-net-close").start()
        else:
            self._close(bound, None)

    def _close(self, drain: float | None, signals: Signals | None) -> None:
        with self._mutex:
            running = self._running
        if running is not None:
            idle = running.stop()
            if signals is None:
                idle.wait(drain)
            else:
                signals.wait(idle, signals.second, seconds=drain)
            left = running.end()
            if left:
                log.warning("left behind, as it did not end (%d times): the handler %s", left, self._handler.name)
            self._counted, self._running = running.statistics(), None
        with self._mutex:
            self._closed = True
            for flag in self._served:
                flag.set()

    def __enter__(self) -> Self:
        return self.start() if self._running is None else self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(DRAIN if kind is None else 0.0)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._running is not None else "not started"
        return f"<Server {', '.join(map(str, self._addresses))} {state}>"

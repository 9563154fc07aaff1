"""A worker process: serves the connections that its parent hands it, until that says close, or has gone.

Rule: signals that a terminal or a service manager sends to all of them at once are the parent's business: SIGINT is
ignored, SIGTERM lets what runs end.
"""

from __future__ import annotations

import itertools
import logging
import os
import queue
import signal
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from elsewhere.rpc.serving.arrivals import Arrival
from elsewhere.rpc.serving.workers.channel import Channel
from elsewhere.transport.tls import TLS

if TYPE_CHECKING:
    from elsewhere.rpc.service import Service

__all__ = ["Handed", "work"]

_log = logging.getLogger("elsewhere.rpc")
DRAIN = 10.0  # seconds, when the worker alone is told to end
ANSWER = 1.0  # seconds for the parent to tell what the other workers were called


class Handed:
    """Connections that the parent has accepted.

    Args:
        channel: to the parent.
        tls: for connections that came to an address with TLS.
        addresses: where the parent listens.
        asked: is called with the seconds to drain when the worker is to close.
    """

    def __init__(
        self,
        service: Service,
        channel: Channel,
        tls: TLS | None,
        addresses: list[str],
        asked: Callable[[float], None],
    ) -> None:
        self.addresses = addresses
        self._service = service
        self._channel = channel
        self._context = None if tls is None else tls.for_server()
        self.certified = self._context is not None and self._context.verify_mode == ssl.CERT_REQUIRED
        self._asked = asked
        self._gone = 0
        self._ended = False
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[dict[str, list[Any]]]] = {}
        self._others: dict[str, list[Any]] = {}

    def sources(self) -> dict[int, Callable[[], Arrival | None]]:
        """The channel, with what takes a connection from it."""
        return {self._channel.fileno(): self._accept}

    def _accept(self) -> Arrival | None:
        while not self._ended:
            try:
                packet = self._channel.receive()
            except EOFError:  # the parent was killed, or has given this worker up
                self._close(0.0)
                break
            if packet is None:
                break
            (verb, *rest), fd = packet
            if verb == "connection" and fd < 0:
                _log.error("a connection is lost: this process has no descriptor left for it")
                self.gone()
            elif verb == "connection":
                label, secure, web = rest
                return Arrival(socket.socket(fileno=fd), label, self._context if secure else None, web)
            elif verb == "close":
                self._close(rest[0])
            elif verb == "statistics":
                self._tell(rest[0])
            elif verb == "others" and (waiting := self._waiting.get(rest[0])) is not None:
                waiting.put(rest[1])
        return None

    def _close(self, seconds: float) -> None:
        self._ended = True
        self._asked(seconds)

    def _tell(self, number: int) -> None:
        self._channel.send(["statistics", number, self._service._told()])

    def told(self) -> list[dict[str, list[Any]]]:
        """What the other workers were called; what was last known of that, if nothing is told in a second."""
        number = next(self._numbers)
        answer = self._waiting[number] = queue.SimpleQueue()
        try:
            if self._channel.send(["others", number]):
                self._others = answer.get(timeout=ANSWER)
        except queue.Empty:  # a worker is on its way out, or has very much to do
            pass
        finally:
            del self._waiting[number]
        return [self._others]

    def gone(self) -> None:
        """A connection is over."""
        self._gone += 1
        self._channel.send(["gone", self._gone])

    def close(self) -> None:
        """Take no more."""


def work(service: Service, channel: Channel, tls: TLS | None, share: tuple[int, int], addresses: list[str]) -> None:
    """What a worker process runs.

    Args:
        service: what is served.
        channel: to the parent.
        tls: for addresses with TLS, or None.
        share: the connections that this worker may have, and the processes of its own pool.
        addresses: where the parent listens.
    """
    from elsewhere.rpc.serving.server import Server

    told: queue.SimpleQueue[float] = queue.SimpleQueue()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: told.put(DRAIN))
    service._limits = service._limits._replace(connections=share[0])
    service._pool_size = share[1]
    handed = Handed(service, channel, tls, addresses, told.put)
    server = Server(service, handed)
    channel.send(["ready", os.getpid()])
    seconds = told.get()
    server.close(seconds)
    channel.close()

"""Datagrams on an event loop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter, deque
from collections.abc import Coroutine
from typing import Any

from elsewhere.net.datagrams import LARGEST, checked_size
from elsewhere.net.limits import Limits
from elsewhere.net.serving.handlers import Handler, reply_of
from elsewhere.transport.address import Address

__all__ = ["Replies"]

log = logging.getLogger("elsewhere.net")
MOST = 1000  # replies that wait for room in a socket's buffer; what is above is lost, as UDP has it


class Replies:
    """Takes datagrams, runs their handler, and sends what it returns."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handler: Handler, limits: Limits, counts: Counter[str]) -> None:
        self._loop = loop
        self._handler = handler
        self._limits = limits
        self._counts = counts
        self._waiting: dict[socket.socket, deque[tuple[Any, Any]]] = {}

    def take(self, sock: socket.socket, address: Address) -> Coroutine[Any, Any, str] | None:
        """The next datagram: a plain handler is run at once, a coroutine is left to the caller.

        Raises:
            OSError: there is none.
        """
        data, sender = sock.recvfrom(LARGEST)
        where = Address("udp", *sender[:2])
        if len(data) > self._limits.max_size:
            sizes = f"{len(data):,} bytes, more than the {self._limits.max_size:,} that are allowed (max_size=)"
            log.warning("%s: a datagram of %s has %s: it is thrown away", address, where, sizes)
            self._counts["refused"] += 1
            return None
        if self._handler.coroutine:
            return self._answered(sock, address, data, sender, where)
        try:
            self._send(sock, self._called(data, where), sender, address)
        except Exception:  # a handler ends its own work, never the server
            log.exception("%s: the handler %s raised", address, self._handler.name)
            self._counts["failed"] += 1
        else:
            self._counts["handled"] += 1
        return None

    def close(self) -> None:
        """What waits to be sent is lost."""
        for sock, waiting in self._waiting.items():
            if waiting:
                waiting.clear()
                self._loop.remove_writer(sock)

    def _called(self, data: bytes, where: Address) -> Any:
        return self._handler.function(data, where) if self._handler.with_sender else self._handler.function(data)

    async def _answered(self, sock: socket.socket, address: Address, data: bytes, sender: Any, where: Address) -> str:
        try:
            self._send(sock, await self._called(data, where), sender, address)
        except Exception:  # a handler ends its own work, never the server
            log.exception("%s: the handler %s raised", address, self._handler.name)
            return "failed"
        return "handled"

    def _send(self, sock: socket.socket, answer: Any, sender: Any, address: Address) -> None:
        reply = reply_of(answer, self._handler.name)
        if reply is None:
            return
        checked_size(memoryview(reply).nbytes, str(Address("udp", *sender[:2])))
        waiting = self._waiting.setdefault(sock, deque())
        waiting.append((reply, sender))
        if len(waiting) == 1:
            self._flush(sock, address)
        elif len(waiting) > MOST:
            waiting.pop()
            log.warning("%s: a reply is lost, as %d others wait to be sent", address, MOST)

    def _flush(self, sock: socket.socket, address: Address) -> None:
        waiting = self._waiting[sock]
        while waiting:
            reply, sender = waiting[0]
            try:
                sock.sendto(reply, sender)
            except BlockingIOError:
                self._loop.add_writer(sock, self._flush, sock, address)
                return
            except OSError as error:
                log.warning("%s: no reply to %s: %s", address, Address("udp", *sender[:2]), error)
            waiting.popleft()
        self._loop.remove_writer(sock)

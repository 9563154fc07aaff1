"""What a server does in its threads with a connection, and with a datagram."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence
from select import POLLOUT, poll
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectionLost, SocketTimeout
from elsewhere.net.connecting import peer_of
from elsewhere.net.connection import Connection
from elsewhere.net.datagrams import LARGEST, checked_size
from elsewhere.net.limits import Limits, Statistics
from elsewhere.net.serving.crew import Crew, Work
from elsewhere.net.serving.flag import Flag
from elsewhere.net.serving.handlers import Handler, reply_of
from elsewhere.transport.address import Address
from elsewhere.transport.connecting import tune
from elsewhere.transport.listening import Listener
from elsewhere.transport.stream import stream_of

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Threads"]

log = logging.getLogger("elsewhere.net")
AT_ONCE = 64  # datagrams that are answered at once; more wait in the socket's buffer, or are lost, as UDP has it
LINGER = 1.0  # seconds to hear a client out, see `Stream.part`
PATIENCE = 2.0  # seconds that handlers whose connection was closed have to notice it


class Threads:
    """Serves some listeners with threads.

    Args:
        listeners: open; `stop` closes them.
        handler: what runs.
        limits: of the server.
        context: for its ``tls://`` addresses.
    """

    def __init__(
        self, listeners: Sequence[Listener], handler: Handler, limits: Limits, context: SSLContext | None
    ) -> None:
        self._listeners = listeners
        self._handler = handler
        self._limits = limits
        self._context = context
        self._mutex = threading.Lock()
        self._open: set[Connection] = set()
        self._ended = False
        self._addresses = {sock: listener.address for listener in listeners for sock in listener.sockets}
        self._datagrams = listeners[0].address.scheme == "udp"
        self._crew = Crew(
            self._addresses,
            self._read if self._datagrams else self._accept,
            min(limits.max_connections, AT_ONCE) if self._datagrams else limits.max_connections,
            ", ".join(str(listener.address) for listener in listeners),
        )

    def start(self) -> None:
        self._crew.start()

    def statistics(self) -> Statistics:
        return self._crew.statistics()

    def stop(self) -> Flag:
        """Accept no more, and let readers that are between two messages find the end of the file.

        Returns:
            A flag: nothing runs any more.
        """
        self._crew.stop()
        if not self._datagrams:  # through whose sockets replies still go out
            self._close()
        return self._crew.idle

    def _close(self) -> None:
        for listener in self._listeners:
            listener.close()

    def mine(self) -> bool:
        """Is the calling thread one of its own?"""
        return self._crew.mine()

    def end(self) -> int:
        """After `stop`: close what is still open, and wait a little; how many handlers have not noticed."""
        self._close()
        with self._mutex:
            self._ended = True
            left = list(self._open)
        for connection in left:
            connection.close()
        return self._crew.join(PATIENCE)

    # ---- streams -----------------------------------------------------------------------------------------------------

    def _accept(self, sock: socket.socket) -> Work:
        client, _ = sock.accept()
        return lambda: self._serve(client, self._addresses[sock])

    def _serve(self, sock: socket.socket, address: Address) -> str:
        peer = peer_of(sock, address)
        name = f"a client of {address}" if address.scheme == "unix" else str(peer)
        try:
            tune(sock)
            if address.scheme == "tls":
                sock = self._encrypted(sock)
            stream = stream_of(sock, name, self._crew.stopping)
        except OSError as error:
            sock.close()
            log.info("%s: the connection of %s failed before it had begun: %s", address, name, error)
            return "refused"
        limits = self._limits
        connection = Connection(stream, address, peer, timeout=limits.idle_timeout, max_size=limits.max_size)
        with self._mutex:
            self._open.add(connection)
            ended = self._ended
        try:
            if ended:
                return "lost"
            outcome = self._handled(connection, name)
            if outcome == "handled":
                stream.part(LINGER)
            return outcome
        finally:
            connection.close()
            with self._mutex:
                self._open.discard(connection)

    def _handled(self, connection: Connection, name: str) -> str:
        """Run the handler; how it went."""
        try:
            self._handler.function(connection)
        except (ConnectionLost, SocketTimeout) as error:
            if error.address != name:  # of another connection, which the handler has made
                log.exception("%s: the handler %s raised", connection.address, self._handler.name)
                return "failed"
            log.info("%s: %s", connection.address, error)
            return "lost" if isinstance(error, ConnectionLost) else "timed_out"
        except BaseException:  # SystemExit, too: a handler ends its own connection, never the server
            log.exception("%s: the handler %s raised", connection.address, self._handler.name)
            return "failed"
        return "handled"

    def _encrypted(self, sock: socket.socket) -> socket.socket:
        from elsewhere.transport.secure import handshake  # with it comes ssl

        assert self._context is not None  # the server has checked it
        return handshake(sock, self._context, self._limits.handshake_timeout, stop=self._crew.stopping)

    # ---- datagrams ---------------------------------------------------------------------------------------------------

    def _read(self, sock: socket.socket) -> Work:
        data, sender = sock.recvfrom(LARGEST)
        return lambda: self._answer(sock, data, sender)

    def _answer(self, sock: socket.socket, data: bytes, sender: Any) -> str:
        address, where = self._addresses[sock], Address("udp", *sender[:2])
        if len(data) > self._limits.max_size:
            sizes = f"{len(data):,} bytes, more than the {self._limits.max_size:,} that are allowed (max_size=)"
            log.warning("%s: a datagram of %s has %s: it is thrown away", address, where, sizes)
            return "refused"
        try:
            answer = self._handler.function(data, where) if self._handler.with_sender else self._handler.function(data)
            reply = reply_of(answer, self._handler.name)
            if reply is not None:
                checked_size(memoryview(reply).nbytes, str(where))
        except BaseException:  # SystemExit, too: a handler ends its own work, never the server
            log.exception("%s: the handler %s raised", address, self._handler.name)
            return "failed"
        try:
            if reply is not None:
                _send(sock, reply, sender)
        except OSError as error:
            log.warning("%s: no reply to %s: %s", address, where, error)
            return "lost"
        return "handled"


def _send(sock: socket.socket, reply: Any, sender: Any) -> None:
    while True:
        try:
            sock.sendto(reply, sender)
        except BlockingIOError:
            poller = poll()
            poller.register(sock, POLLOUT)
            if not poller.poll(1000):
                raise
        else:
            return

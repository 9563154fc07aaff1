"""Where a server listens, and how connections arrive from there.

Rule: knows sockets, nothing of what is said on them.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from elsewhere.transport.address import HTTP, STREAMS, Address
from elsewhere.transport.listening import SCARCE, Listener, require_safe
from elsewhere.transport.tls import TLS

__all__ = ["Arrival", "Arrivals", "Entrance", "Seldom", "Source"]

_log = logging.getLogger("elsewhere.rpc")
AT_ONCE = 64  # connections that are accepted in one go
PAUSE = 0.1  # seconds without accepting, when there are no more descriptors, or nobody takes a connection


class Arrival(NamedTuple):
    """A connection that has just come.

    Attributes:
        sock: it.
        label: the peer's address as a URL, for texts.
        context: TLS is to be spoken, with this; None for none.
        web: HTTP is spoken.
    """

    sock: socket.socket
    label: str
    context: ssl.SSLContext | None
    web: bool = False


class Source(Protocol):
    """Where a server's connections come from.

    Attributes:
        addresses: where it listens.
        certified: clients at addresses with TLS show certificates.
    """

    addresses: list[str]
    certified: bool

    def sources(self) -> dict[int, Callable[[], Arrival | None]]:
        """Descriptors that tell of new connections, each with what takes one, or gives None if there is none."""

    def gone(self) -> None:
        """A connection that came from here is over."""

    def told(self) -> list[dict[str, list[Any]]]:
        """What was called in other processes that have connections from here; not for who reads `sources`."""

    def close(self) -> None:
        """Take no more."""


class Arrivals:
    """The listeners of one server.

    Args:
        addresses: URLs.
        tls: for ``tls://`` addresses.
        authenticated: peers must send a token.
        insecure: other machines may come without TLS and authentication.

    Attributes:
        addresses: where it listens, with the ports that were found.
        secure: TLS is spoken at one of them.
        certified: clients at those show certificates.

    Raises:
        ValueError: an address is none, or is not safe.
        OSError: one cannot be listened at.
    """

    def __init__(
        self, addresses: Iterable[str | Address], tls: TLS | None, authenticated: bool, insecure: bool
    ) -> None:
        wanted = [Address.parse(address, (*STREAMS, *HTTP)) for address in addresses]
        if not wanted:
            raise ValueError('a server needs an address to listen at, such as "tcp://localhost:6789"')
        if tls is not None and not isinstance(tls, TLS):
            raise TypeError(f"tls is an elsewhere TLS(cert=..., key=...), not {tls!r}")
        for address in wanted:
            if address.scheme in HTTP and address.path != "/":
                raise ValueError(
                    f"{address} has a path, and a service has its own: {address.scheme}://{address.host}:{address.port}"
                )
        require_safe(wanted, tls=tls, authenticated=authenticated, insecure=insecure)
        self.secure = any(address.encrypted for address in wanted)
        self._context = (tls or TLS()).for_server() if self.secure else None
        self.certified = self._context is not None and self._context.verify_mode == ssl.CERT_REQUIRED
        self._listeners: list[Listener] = []
        try:
            for address in wanted:
                self._listeners.append(Listener(address))
        except BaseException:
            self.close()
            raise
        self.addresses = [str(listener.address) for listener in self._listeners]

    def sources(self) -> dict[int, Callable[[], Arrival | None]]:
        """Each listening descriptor, with what accepts a connection there, or gives None if none waits."""
        return {
            sock.fileno(): self._acceptor(sock, listener.address)
            for listener in self._listeners
            for sock in listener.sockets
        }

    def _acceptor(self, listening: socket.socket, address: Address) -> Callable[[], Arrival | None]:
        context = self._context if address.encrypted else None
        scheme, web = address.scheme, address.scheme in HTTP

        def accept() -> Arrival | None:
            try:
                sock, peer = listening.accept()
            except BlockingIOError:
                return None
            return Arrival(sock, label_of(scheme, peer), context, web)

        return accept

    def gone(self) -> None:
        """Nobody counts them here."""

    def told(self) -> list[dict[str, list[Any]]]:
        """Nothing: all connections from here are this process's."""
        return []

    def close(self) -> None:
        """Listen no more."""
        for listener in self._listeners:
            listener.close()


class Seldom:
    """Warns in the log, but not more than once in a second: whoever connects can make it happen again and again."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, text: str, *args: object) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1.0
            _log.warning(text, *args)


class Entrance:
    """Lets connections in, in the thread of who watches the descriptors; rests when there is no room for more.

    Args:
        source: where they come from.
        watch: has `accept` called with a descriptor whenever that one tells of connections.
        unwatch: ends that.
        later: calls something after so many seconds, in the same thread.
        welcome: takes a connection.
        closing: shall it open no more?
    """

    def __init__(
        self,
        source: Source,
        *,
        watch: Callable[[int], object],
        unwatch: Callable[[int], object],
        later: Callable[[float, Callable[[], object]], object],
        welcome: Callable[[Arrival], object],
        closing: Callable[[], bool],
    ) -> None:
        self._takes = source.sources()
        self._watch, self._unwatch, self._later = watch, unwatch, later
        self._welcome, self._closing = welcome, closing
        self._watched: list[int] = []  # taken out one by one: another thread may close it too
        self.warn = Seldom()

    def __contains__(self, fd: int) -> bool:
        return fd in self._takes

    def open(self) -> None:
        """Accept from now on."""
        if not self._watched and not self._closing():
            for fd in self._takes:
                self._watch(fd)
                self._watched.append(fd)

    def close(self) -> None:
        """Look at the descriptors no more."""
        while self._watched:
            with contextlib.suppress(IndexError):
                self._unwatch(self._watched.pop())

    def rest(self) -> None:
        """Accept nothing for a moment: who connects now waits in the system's queue."""
        self.close()
        self._later(PAUSE, self.open)

    def accept(self, fd: int) -> None:
        """Take what has come there."""
        take = self._takes[fd]
        for _ in range(AT_ONCE):
            if not self._watched:
                return
            try:
                found = take()
            except OSError as error:
                if error.errno in SCARCE:
                    self.warn("no connection can be accepted for now: %s", error.strerror)
                    self.rest()
                return  # else it was aborted before it was accepted
            if found is None:
                return
            self._welcome(found)


def label_of(scheme: str, peer: Any) -> str:
    """A peer's address as a URL; a Unix socket's has none."""
    if scheme == "unix":
        return "a peer at a Unix socket"
    host, port = peer[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

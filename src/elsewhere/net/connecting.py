"""`connect`: an address and seconds in, a connection out."""

from __future__ import annotations

import socket

from elsewhere.net.connection import Connection
from elsewhere.net.datagrams import Datagrams
from elsewhere.net.limits import DATAGRAM, MESSAGE, count, seconds
from elsewhere.transport import connecting
from elsewhere.transport.address import Address
from elsewhere.transport.stream import stream_of
from elsewhere.transport.tls import TLS

__all__ = ["connect", "peer_of"]


def connect(
    address: str | Address, timeout: float | None = 10.0, tls: TLS | None = None, *, max_size: int | None = None
) -> Connection:
    r"""Connect to a server, ours or any other.

    Args:
        address: ``tcp://host:port``, ``tls://host:port``, ``unix:///path`` or ``udp://host:port``; ``localhost`` tries
            both families.
        timeout: seconds to find the name, to connect, and for TLS's handshake, all in all; and for each later wait of
            the connection that says no other. None: no bound.
        tls: for a ``tls://`` address; without it the system's authorities are believed.
        max_size: the most bytes that `recv_exactly` gathers, 64 MiB if left out; of UDP the largest datagram that is
            received, 65,507 bytes if left out.

    Returns:
        A `Connection`; for ``udp://`` it is a `Datagrams`.

    Raises:
        ConnectError: the name is not found, nobody listens there, the handshake failed, ...: names address and phase.
        ConnectTimeout: not within the time.
        TypeError, ValueError: the address is none, or the timeout.

    Example::

        with net.connect("tcp://localhost:7000") as connection:
            connection.sendall(b"hello\n")
            answer = connection.recv_until(b"\n", timeout=2)
    """
    where = Address.parse(address)
    bound = seconds(timeout)
    if tls is not None and where.scheme != "tls":
        raise ValueError(f"{where} is without TLS: tls= is for addresses that begin with tls://")
    most = None if max_size is None else count(max_size, "max_size")
    if where.scheme == "udp":
        return Datagrams(where, timeout=bound, max_size=most or DATAGRAM)
    sock = connecting.connect(where, bound, tls)
    try:
        peer = peer_of(sock, where)
        return Connection(stream_of(sock, str(where)), where, peer, timeout=bound, max_size=most or MESSAGE)
    except BaseException:
        sock.close()
        raise


def peer_of(sock: socket.socket, address: Address) -> Address:
    """The far side's own address; for a Unix socket the one that is known."""
    if address.scheme == "unix":
        return address
    try:
        host, port = sock.getpeername()[:2]
    except OSError:  # it has gone already; who reads will find out
        return address
    return Address(address.scheme, host, port)

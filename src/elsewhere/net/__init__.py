"""`elsewhere.net`: servers and clients on TCP, TLS, Unix sockets and UDP, below any idea of calls.

`connect` gives a connection with ``send recv recv_exactly recv_until sendall close``, `open_connection` gives
coroutines the streams of asyncio; `Server` runs a handler for each connection, or for each datagram. Docs:
docs/sockets.md.
"""

from __future__ import annotations

from elsewhere.net.connecting import connect
from elsewhere.net.connection import Connection
from elsewhere.net.datagrams import Datagrams
from elsewhere.net.limits import Statistics
from elsewhere.net.server import Server
from elsewhere.transport.address import Address
from elsewhere.transport.tls import TLS

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from elsewhere.net.opening import open_connection

__all__ = [
    "TLS",
    "Address",
    "Connection",
    "Datagrams",
    "Server",
    "Statistics",
    "connect",
    "open_connection",
]


def __getattr__(name: str) -> object:
    if name != "open_connection":
        raise AttributeError(f"module 'elsewhere.net' has no attribute {name!r}")
    from elsewhere.net.opening import open_connection  # with it comes asyncio, which takes a while to load

    return open_connection

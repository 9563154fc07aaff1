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
from elsewhere.transport.address import Address
from elsewhere.transport.tls import TLS

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from elsewhere.net.opening import open_connection
    from elsewhere.net.server import Server

# With these come asyncio, logging and inspect, which take longer to load than all a client needs.
_LATER = {"Server": "elsewhere.net.server", "open_connection": "elsewhere.net.opening"}

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
    from importlib import import_module

    home = _LATER.get(name)
    if home is None:
        raise AttributeError(f"module 'elsewhere.net' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

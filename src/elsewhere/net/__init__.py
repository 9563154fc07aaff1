"""`elsewhere.net`: servers and clients on TCP, TLS, Unix sockets and UDP, below any idea of calls.

`connect` gives a connection with ``send recv recv_exactly recv_until sendall close``; `Server` runs a handler for each
connection, or for each datagram. Docs: docs/sockets.md.
"""

from elsewhere.net.connecting import connect
from elsewhere.net.connection import Connection
from elsewhere.net.datagrams import Datagrams
from elsewhere.net.limits import Statistics
from elsewhere.net.server import Server
from elsewhere.transport.address import Address
from elsewhere.transport.tls import TLS

__all__ = ["TLS", "Address", "Connection", "Datagrams", "Server", "Statistics", "connect"]

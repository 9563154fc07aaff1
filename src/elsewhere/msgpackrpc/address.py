"""Where a server listens, and a client connects to."""

from __future__ import annotations

import errno
import socket as _socket
from typing import Any

from elsewhere.transport.address import PORTS
from elsewhere.transport.address import Address as _Address
from elsewhere.transport.connecting import resolve
from elsewhere.transport.listening import Listener

__all__ = ["Address", "listeners", "targets"]

EVERYWHERE = ("0.0.0.0", "::")  # what no host, or an empty one, means
_OF_FAMILY = {int(_socket.AF_INET): 0, int(_socket.AF_INET6): 1}


class Address:
    """A host and a port.

    Args:
        host: a name or a number; of a server, "" or None is every network that the machine is in.
        port: a number, as a str too; 0 picks a free one, for a server.
        family: `socket.AF_INET` or `socket.AF_INET6` for one of the two.

    Raises:
        TypeError, ValueError: the port is no number from 0 to 65535.
    """

    def __init__(self, host: str | None, port: int | str, family: int = _socket.AF_UNSPEC) -> None:
        if not isinstance(port, (int, str)) or isinstance(port, bool):
            raise TypeError(f"a port is a number from 0 to {PORTS}, not {port!r}")
        if not str(port).isdecimal() or int(port) > PORTS:
            raise ValueError(f"a port is a number from 0 to {PORTS}, not {port!r}")
        if not isinstance(host, (str, type(None))):
            raise TypeError(f"a host is a name or an IP address as a str, not {host!r}")
        self._host = host
        self._port = port
        self._family = family

    def __repr__(self) -> str:
        return f"Address({self._host!r}, {self._port!r})"

    @property
    def host(self) -> str | None:
        return self._host

    @property
    def port(self) -> int | str:
        return self._port

    def unpack(self) -> tuple[str | None, int | str]:
        return (self._host, self._port)

    def socket(self) -> _socket.socket:
        """A socket of the right family, not connected, that does not block."""
        found = _socket.getaddrinfo(
            self._host,
            self._port,
            self._family,
            _socket.SOCK_STREAM,
            0,
            _socket.AI_PASSIVE,
        )[0]
        sock = _socket.socket(*found[:3])
        sock.setblocking(False)
        if found[0] == _socket.AF_INET6:
            sock.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        return sock


def _family(address: Any) -> int:
    """0 for IPv4, 1 for IPv6, -1 for both."""
    return _OF_FAMILY.get(int(getattr(address, "_family", 0)), -1)


def targets(address: Any, timeout: float | None) -> list[_Address]:
    """What to connect to, one after the other.

    Raises:
        ConnectError, ConnectTimeout: the name is not found, or not within the time.
    """
    host, port = address.unpack()
    found = _Address("tcp", host or "localhost", int(port))
    family = _family(address)
    if family < 0:
        return [found]  # both, if it has both
    wanted = (_socket.AF_INET, _socket.AF_INET6)[family]
    resolved = resolve(found, _socket.SOCK_STREAM, timeout)
    return [found.but(host=where[0]) for of, _, _, where in resolved if of == wanted]


def listeners(address: Any) -> list[Listener]:
    """Sockets that listen there, in both families where the address names none.

    Raises:
        OSError: the address is in use, is not of this machine, or may not be used; says so in a sentence.
        ConnectError: the name is not found.
    """
    host, port = address.unpack()
    family = _family(address)
    if not host:
        hosts: tuple[str, ...] = EVERYWHERE if family < 0 else (EVERYWHERE[family],)
    elif family < 0:
        hosts = (host,)
    else:
        hosts = tuple(target.host for target in targets(address, None))
        if not hosts:
            raise OSError(errno.EADDRNOTAVAIL, f"{host} has no address of the family that was asked for")
    found: list[Listener] = []
    try:
        for each in hosts:
            where = _Address("tcp", each, found[0].address.port if found else int(port))
            try:
                found.append(Listener(where))
            except OSError as error:
                if not found or error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                    raise  # else: a machine without IPv6
    except BaseException:
        for listener in found:
            listener.close()
        raise
    return found

"""Sockets that listen at an address."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable
from typing import Any

from elsewhere.errors import ConnectError
from elsewhere.transport.address import Address
from elsewhere.transport.connecting import resolve
from elsewhere.transport.tls import TLS

__all__ = ["SCARCE", "Listener", "require_safe"]

BACKLOG = 1024
TRIES = 20  # to find a port that is free in both families
SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})  # no descriptor, or no memory for one


class Listener:
    """Listens at one address: one socket, two for ``localhost``.

    Args:
        address: where; port 0 picks a free one.

    Attributes:
        sockets: they do not block; datagram sockets for ``udp://``.
        address: as it was given, with the port that was found.

    Raises:
        OSError: the address is in use, is not of this machine, or may not be used; says so in a sentence.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.sockets: list[socket.socket] = []
        self._inode: tuple[int, int] | None = None
        self._pid = os.getpid()
        try:
            if address.scheme == "unix":
                self._listen_unix()
            else:
                self._listen()
        except OSError as error:
            self.close()
            code = error.errno or errno.EADDRNOTAVAIL  # a name that is not found has none, or one of another table
            raise OSError(abs(code), f"cannot listen at {address}: {_why(error, address)}") from None
        except BaseException:
            self.close()
            raise

    def _listen(self) -> None:
        kind = socket.SOCK_DGRAM if self.address.scheme == "udp" else socket.SOCK_STREAM
        for attempt in range(TRIES):
            try:
                for family, _, proto, where in resolve(self.address, kind, passive=True):
                    self._bind(family, kind, proto, where)
            except OSError as error:
                if self.address.port or error.errno != errno.EADDRINUSE or attempt == TRIES - 1:
                    raise
                for sock in self.sockets:  # the port that was free in one family is taken in the other
                    sock.close()
                self.sockets.clear()
            else:
                break
        self.address = self.address.but(port=self.sockets[0].getsockname()[1])

    def _bind(self, family: int, kind: int, proto: int, where: Any) -> None:
        if self.sockets and not self.address.port:
            where = (where[0], self.sockets[0].getsockname()[1], *where[2:])
        try:
            sock = socket.socket(family, kind, proto)
        except OSError:
            if self.sockets or self.address.host != "localhost":
                raise
            return
        self.sockets.append(sock)
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            sock.bind(where)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL and len(self.sockets) > 1 and self.address.host == "localhost":
                self.sockets.pop().close()  # a machine without IPv6
                return
            raise
        if kind == socket.SOCK_STREAM:
            sock.listen(BACKLOG)

    def _listen_unix(self) -> None:
        path = self.address.path
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sockets.append(sock)
        sock.setblocking(False)
        if not path.startswith("@"):
            _remove_stale(path)
        sock.bind(self.address.name)
        if not path.startswith("@"):
            found = os.stat(path)
            self._inode = found.st_dev, found.st_ino
        sock.listen(BACKLOG)

    def close(self) -> None:
        """Listen no more; the file of a Unix socket goes, if it is still this one's."""
        for sock in self.sockets:
            sock.close()
        self.sockets.clear()
        if self._inode is not None and self._pid == os.getpid():
            with contextlib.suppress(OSError):
                found = os.stat(self.address.path)
                if (found.st_dev, found.st_ino) == self._inode:
                    os.unlink(self.address.path)
            self._inode = None


def _remove_stale(path: str) -> None:
    """The socket of a server that was killed stands in the way; one that is served stays."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise OSError(errno.EEXIST, "a file of that name exists, and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        except FileNotFoundError:
            return
        except OSError:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from None
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _why(error: OSError, address: Address) -> str:
    if isinstance(error, ConnectError):
        return str(error).removeprefix(f"{address}: ")
    if error.errno == errno.EADDRINUSE:
        if address.scheme == "unix":
            return "another program listens there"
        return f"another program has the port; port 0 picks a free one ({address.but(port=0)})"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "permission denied" + (": ports below 1024 are for root" if 0 < address.port < 1024 else "")
    if error.errno == errno.EEXIST:
        return error.strerror or ""
    return error.strerror or str(error)


def require_safe(addresses: Iterable[Address], *, tls: TLS | None, authenticated: bool, insecure: bool) -> None:
    """A server that other machines can reach needs TLS and authentication, or to be told that it does not.

    Args:
        addresses: where it is to listen.
        tls: with a `ca`, or a context that requires it, clients show certificates, which is authentication too.
        authenticated: a token is asked for.
        insecure: do without.

    Raises:
        ValueError: names the address, and what is missing.
    """
    if insecure:
        return
    for address in addresses:
        if address.loopback:
            continue
        known = authenticated or (tls is not None and tls.wants_certificates)
        missing = [
            *([f"TLS ({_encrypted(address)} address)"] if not address.encrypted else []),
            *(["authentication (token=, or TLS(ca=...) for client certificates)"] if not known else []),
        ]
        if missing:
            raise ValueError(
                f"{address} can be reached from other machines, so it needs {' and '.join(missing)}; "
                "insecure=True serves without"
            )


def _encrypted(address: Address) -> str:
    return "an https://" if address.carrier == "http" else "a tls://"

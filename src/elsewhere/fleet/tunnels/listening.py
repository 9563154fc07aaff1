"""Sockets that listen here: at a port, the same on all addresses of a name, or at a path."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import Any

__all__ = ["listen"]

TRIES = 10  # free ports, until one is free on all addresses
BACKLOG = 128


def listen(host: str, where: int | str) -> list[socket.socket]:
    """Sockets that listen.

    Args:
        host: a name or an address of this machine.
        where: a port, 0 for one that is free; or a path, whose socket only this user can reach.

    Raises:
        OSError: it is taken, or may not be used; says which.
    """
    if isinstance(where, str):
        return [_at_path(where)]
    found = socket.getaddrinfo(host, where, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    for attempt in range(TRIES):
        try:
            return _at(addresses, where)
        except OSError as error:
            if where == 0 and error.errno == errno.EADDRINUSE and attempt < TRIES - 1:
                continue
            raise OSError(
                error.errno, f"nothing can listen at port {where} of {host} here: {os.strerror(error.errno or 0)}"
            ) from None
    raise AssertionError


def _at(addresses: list[tuple[Any, Any]], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in addresses:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                if os.name == "posix":  # elsewhere it would share the port with whoever listens already
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.setblocking(False)
                sock.bind((address[0], port, *address[2:]))
                sock.listen(BACKLOG)
            except OSError as error:
                sock.close()
                if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:  # IPv6, where the machine has none
                    raise
                missing = error
                continue
            sockets.append(sock)
            port = sock.getsockname()[1]
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    if not sockets:
        raise missing or OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    return sockets


def _at_path(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(path)  # one that is there is somebody's, and stays
        try:
            os.chmod(path, 0o600)
            sock.listen(BACKLOG)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"nothing can listen at {path} here: {os.strerror(error.errno or 0)}") from None
    return sock

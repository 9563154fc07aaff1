"""A connected socket for an address, within a time, or an error that names address and phase."""

from __future__ import annotations

import os
import queue
import select
import socket
import threading
import time
from typing import Any

from elsewhere.errors import ConnectError, ConnectTimeout
from elsewhere.transport.address import Address
from elsewhere.transport.tls import TLS
from elsewhere.transport.trouble import tls_failed, unreachable, unresolved

__all__ = ["connect", "resolve", "tune"]

IDLE, EVERY, TIMES = 60, 15, 4  # seconds, seconds, probes: a peer that has vanished is noticed after two minutes
STAGGER = 0.25  # seconds that one of a host's addresses has before the next is tried, too (RFC 8305)
LOCALHOST = [(socket.AF_INET, "127.0.0.1"), *([(socket.AF_INET6, "::1")] if socket.has_ipv6 else [])]
Target = tuple[int, int, int, Any]  # family, type, protocol, address


def connect(address: Address, timeout: float | None = 10.0, tls: TLS | None = None) -> socket.socket:
    """A blocking stream socket, or a connected datagram socket for ``udp://``.

    Args:
        address: where to.
        timeout: seconds for all of it: finding the name, connecting, and TLS's handshake. None: as the system does.
        tls: for a ``tls://`` or ``https://`` address.

    Raises:
        ConnectTimeout: it took longer.
        ConnectError: nobody listens there, the name is not found, the certificate is not believed, ...
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    if address.carrier == "unix":
        return _unix(address, deadline, timeout)
    kind = socket.SOCK_DGRAM if address.scheme == "udp" else socket.SOCK_STREAM
    targets = resolve(address, kind, timeout)
    sock = _first(address, targets, deadline, timeout)
    return _encrypted(sock, address, tls, deadline, timeout) if address.encrypted else sock


def resolve(address: Address, kind: int, timeout: float | None = None, *, passive: bool = False) -> list[Target]:
    """The socket addresses of a host; both families of ``localhost``.

    Raises:
        ConnectError, ConnectTimeout: the name is not found, or not within the time.
    """
    host, port = address.host, address.port
    if host == "localhost":  # whatever /etc/hosts says of it
        return [(family, kind, 0, (number, port)) for family, number in LOCALHOST]
    flags = socket.AI_PASSIVE if passive else 0
    answers: queue.SimpleQueue[list[Target] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, 0, kind, 0, flags)
        except (OSError, UnicodeError) as error:
            answers.put(error)
        else:
            answers.put([(family, type_, proto, where) for family, type_, proto, _, where in found])

    if ":" in host or host.replace(".", "").isdecimal():  # numbers, for which nobody has to be asked
        ask()
    else:  # the system's resolver cannot be interrupted, and knows no bound
        threading.Thread(target=ask, name="elsewhere-resolve", daemon=True).start()
    try:
        found = answers.get(timeout=timeout)
    except queue.Empty:
        raise ConnectTimeout(
            f"{address}: the name {host!r} was not resolved within {timeout:g} s", address=str(address), phase="resolve"
        ) from None
    if isinstance(found, list):
        return found
    raise unresolved(found, address) from found


def tune(sock: socket.socket) -> None:
    """Send small messages at once, and notice a peer that has vanished."""
    if sock.family == socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, EVERY)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, TIMES)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.001, deadline - time.monotonic())


def _first(address: Address, targets: list[Target], deadline: float | None, timeout: float | None) -> socket.socket:
    """Connected to the first that answers: the next is tried, too, once one has failed or was silent for a while.

    So a host with two addresses, one of which nobody can be reached at, takes no longer than `STAGGER`.
    """
    failed: ConnectError | None = None
    waiting, trying = list(targets), dict[int, socket.socket]()
    poller = select.poll()
    try:
        while waiting or trying:
            if waiting:
                try:
                    sock, done = _begun(address, waiting.pop(0))
                except ConnectError as error:
                    failed = failed or error
                    continue
                trying[sock.fileno()] = sock
                poller.register(sock, select.POLLOUT)
                if done:
                    return _ready(trying.pop(sock.fileno()))
            moment = time.monotonic() + STAGGER if waiting else None
            while trying and (found := poller.poll(_until(moment, deadline))):
                for fd, _ in found:
                    sock = trying.pop(fd)
                    if not (code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                        return _ready(sock)
                    poller.unregister(fd)
                    sock.close()
                    failed = failed or unreachable(OSError(code, os.strerror(code)), address)
                    moment = time.monotonic()  # the next one's turn has come
                if waiting:
                    break
            if deadline is not None and time.monotonic() >= deadline and trying:
                raise _silent(address, timeout)
    finally:
        for sock in trying.values():
            sock.close()
    raise failed or ConnectError(f"{address}: its name has no address", address=str(address), phase="resolve")


def _begun(address: Address, target: Target) -> tuple[socket.socket, bool]:
    """A socket that connects, and whether it has done so already."""
    family, kind, proto, where = target
    try:
        sock = socket.socket(family, kind, proto)
    except OSError as error:  # no more descriptors, or a system without this family
        raise unreachable(error, address) from error
    try:
        sock.setblocking(False)
        sock.connect(where)
    except BlockingIOError:
        return sock, False
    except OSError as error:
        sock.close()
        raise unreachable(error, address) from error
    except BaseException:
        sock.close()
        raise
    return sock, True


def _ready(sock: socket.socket) -> socket.socket:
    tune(sock)
    sock.setblocking(True)
    return sock


def _until(*moments: float | None) -> int | None:
    """Milliseconds until the first of these, for `poll`."""
    known = [moment for moment in moments if moment is not None]
    return max(0, int((min(known) - time.monotonic()) * 1000) + 1) if known else None


def _unix(address: Address, deadline: float | None, timeout: float | None) -> socket.socket:
    pause = 0.001
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise unreachable(error, address) from error
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(address.name)
                return _ready(sock)
            except BlockingIOError:  # too many wait to be accepted; no `poll` tells when there is room
                if deadline is not None and time.monotonic() + pause >= deadline:
                    raise _silent(address, timeout) from None
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
    except ConnectError:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise unreachable(error, address) from error
    except BaseException:
        sock.close()
        raise


def _silent(address: Address, timeout: float | None) -> ConnectTimeout:
    text = f"{address} does not answer: no connection within {timeout:g} s"
    return ConnectTimeout(text, address=str(address), phase="connect")


def _encrypted(
    sock: socket.socket, address: Address, tls: TLS | None, deadline: float | None, timeout: float | None
) -> socket.socket:
    from elsewhere.transport.secure import handshake  # with it comes ssl

    tls = tls or TLS()
    try:
        context = tls.for_client()
    except BaseException:
        sock.close()
        raise
    try:
        return handshake(sock, context, _left(deadline), tls.server_name or address.host)
    except TimeoutError:
        text = f"{address}: no TLS handshake within {timeout:g} s: is it a {address.carrier}:// server?"
        raise ConnectTimeout(text, address=str(address), phase="handshake") from None
    except OSError as error:
        raise tls_failed(error, address) from error

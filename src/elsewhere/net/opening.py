"""`open_connection`: what `connect` is, for coroutines."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from elsewhere.errors import ConnectError, ConnectTimeout
from elsewhere.net.limits import seconds
from elsewhere.net.serving.streams import LIMIT, Protocol, Reader, Writer
from elsewhere.transport.address import STREAMS, Address
from elsewhere.transport.connecting import LOCALHOST, STAGGER, tune
from elsewhere.transport.tls import TLS
from elsewhere.transport.trouble import tls_failed, unreachable, unresolved

__all__ = ["open_connection"]


async def open_connection(
    address: str | Address,
    timeout: float | None = 10.0,  # noqa: ASYNC109 - it is the connection's for all later waits, too
    tls: TLS | None = None,
    *,
    limit: int = LIMIT,
) -> tuple[Reader, Writer]:
    r"""`asyncio.open_connection` for an address: its streams, with bounds and our errors.

    Args:
        address: ``tcp://host:port``, ``tls://host:port`` or ``unix:///path``; ``localhost`` tries both families.
        timeout: seconds to find the name, to connect, and for TLS's handshake, all in all; and for each later wait for
            data, and for `drain`. None: no bound.
        tls: for a ``tls://`` address; without it the system's authorities are believed.
        limit: bytes that ``readuntil`` and ``readline`` look through, as in asyncio.

    Returns:
        A `StreamReader` and a `StreamWriter`. Where the connection breaks they raise `ConnectionLost`, where the time
        is over `SocketTimeout`; the rest is asyncio's.

    Raises:
        ConnectError, ConnectTimeout: as `connect` does.

    Example::

        reader, writer = await net.open_connection("tcp://localhost:7000")
        writer.write(b"hello\n")
        await writer.drain()
        answer = await reader.readline()
        writer.close()
    """
    where = Address.parse(address, STREAMS)
    bound = seconds(timeout)
    if tls is not None and where.scheme != "tls":
        raise ValueError(f"{where} is without TLS: tls= is for addresses that begin with tls://")
    phase = ["resolve"]
    clock = asyncio.timeout(bound)
    try:
        async with clock:
            sock = await _connected(where, phase)
            return await _streams(sock, where, tls, bound, limit, phase)
    except TimeoutError as error:
        if not clock.expired():
            raise unreachable(error, where) from error
        texts = {
            "resolve": f"the name {where.host!r} was not resolved within {bound:g} s",
            "connect": f"it does not answer: no connection within {bound:g} s",
            "handshake": f"no TLS handshake within {bound:g} s: is it a tls:// server?",
        }
        raise ConnectTimeout(f"{where}: {texts[phase[0]]}", address=str(where), phase=phase[0]) from None


async def _streams(
    sock: socket.socket, where: Address, tls: TLS | None, bound: float | None, limit: int, phase: list[str]
) -> tuple[Reader, Writer]:
    """Asyncio's side of a connected socket."""
    reader = Reader(str(where), bound, limit)
    protocol = Protocol(reader)
    options: dict[str, Any] = {}
    try:
        tune(sock)
        if where.scheme == "tls":
            phase[0] = "handshake"
            options["ssl"] = (tls or TLS()).for_client()
            options["server_hostname"] = (tls.server_name if tls else None) or where.host
        create = asyncio.get_running_loop().create_connection
        transport, _ = await create(lambda: protocol, sock=sock, **options)  # uvloop's _ is another protocol
    except OSError as error:
        sock.close()
        if phase[0] != "handshake" or "ssl" not in options:  # a file of TLS that cannot be read says so itself
            raise
        raise tls_failed(error, where) from error
    except BaseException:
        sock.close()
        raise
    return reader, Writer(transport, protocol, reader, bound)


async def _connected(where: Address, phase: list[str]) -> socket.socket:
    """A socket to the first of a host's addresses that answers; see `transport.connecting`."""
    targets = await _targets(where)
    phase[0] = "connect"
    trying: set[asyncio.Task[socket.socket]] = set()
    failed: ConnectError | None = None
    try:
        while targets or trying:
            if targets:
                trying.add(asyncio.create_task(_tried(where, targets.pop(0))))
            done, trying = await asyncio.wait(
                trying, timeout=STAGGER if targets else None, return_when=asyncio.FIRST_COMPLETED
            )
            won = [task for task in done if task.exception() is None]
            for late in won[1:]:
                late.result().close()
            if won:
                return won[0].result()
            for task in done:
                error = task.exception()
                if not isinstance(error, ConnectError):
                    task.result()
                failed = failed or error  # type: ignore[assignment]  # it is one
    finally:
        for task in trying:
            task.add_done_callback(_drop)
            task.cancel()
    raise failed or ConnectError(f"{where}: its name has no address", address=str(where), phase="resolve")


async def _targets(where: Address) -> list[tuple[int, Any]]:
    """Families, and what `connect` takes in each."""
    if where.scheme == "unix":
        return [(socket.AF_UNIX, where.name)]
    if where.host == "localhost":
        return [(family, (host, where.port)) for family, host in LOCALHOST]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise unresolved(error, where) from error
    return [(family, place) for family, _, _, _, place in found]


async def _tried(where: Address, target: tuple[int, Any]) -> socket.socket:
    try:
        sock = socket.socket(target[0], socket.SOCK_STREAM)
    except OSError as error:
        raise unreachable(error, where) from error
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, target[1])
    except OSError as error:
        sock.close()
        raise unreachable(error, where) from error
    except BaseException:
        sock.close()
        raise
    return sock


def _drop(task: asyncio.Task[socket.socket]) -> None:
    """One that was cancelled, or has won too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()

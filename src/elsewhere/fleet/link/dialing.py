"""A socket to a host that has said its first word: looking up its name, connecting, and waiting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

__all__ = ["dial", "heard"]

FIRST = 3.0  # seconds; an sshd speaks at once, others might wait for us


async def dial(hostname: str, port: int, patience: float) -> socket.socket:
    """A socket that is connected.

    Args:
        hostname, port: where to; each of a name's addresses is tried.
        patience: seconds for all together; the first ones leave as much to the others.

    Raises:
        OSError: no address could be reached; socket.gaierror: the name has none.
    """
    loop = asyncio.get_running_loop()
    found = await _addresses(hostname, port)
    for index, (family, kind, protocol, _, address) in enumerate(found):
        last = index == len(found) - 1
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(None if last else patience / len(found)):
                await loop.sock_connect(sock, address)
        except OSError:  # TimeoutError is one
            sock.close()
            if last:
                raise
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise socket.gaierror(socket.EAI_NONAME, "it has no address")


async def _addresses(hostname: str, port: int) -> list[Any]:
    with contextlib.suppress(socket.gaierror):  # numbers are not looked up, which would take a thread
        return socket.getaddrinfo(hostname, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return await asyncio.get_running_loop().getaddrinfo(hostname, port, type=socket.SOCK_STREAM)


async def heard(sock: socket.socket) -> bool:
    """Wait until it has something to read, or its end; False if it says nothing for `FIRST` seconds."""
    loop = asyncio.get_running_loop()
    word = asyncio.Event()
    loop.add_reader(sock.fileno(), word.set)
    try:
        async with asyncio.timeout(FIRST):
            await word.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(sock.fileno())
    return True

"""A socket to a host that has said its first word: looking up its name, connecting, and waiting.

Rule: nothing here uses libuv's threads, as uvloop's own ways do: a process that is forked from one that has some cannot
exit (it joins threads that it has not).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
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
    found = await _addresses(hostname, port)
    for index, (family, kind, protocol, _, address) in enumerate(found):
        last = index == len(found) - 1
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(None if last else patience / len(found)):
                await _connected(sock, address)
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
    return await asyncio.get_running_loop().run_in_executor(
        None, lambda: socket.getaddrinfo(hostname, port, type=socket.SOCK_STREAM)
    )


async def _connected(sock: socket.socket, address: Any) -> None:
    status = sock.connect_ex(address)
    if status in {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR}:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        loop.add_writer(sock.fileno(), over.set)
        try:
            await over.wait()
        finally:
            loop.remove_writer(sock.fileno())
        status = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if status:
        raise OSError(status, os.strerror(status))


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

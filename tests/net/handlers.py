"""What the servers under test do, once for threads and once for the loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading

from elsewhere.errors import ConnectionLost


class Release(threading.Event):
    """An event that the loop can wait for, too."""

    def __init__(self):
        super().__init__()
        self.waiting = []

    def set(self):
        super().set()
        while self.waiting:
            loop, event = self.waiting.pop()
            with contextlib.suppress(RuntimeError):  # that loop is closed
                loop.call_soon_threadsafe(event.set)

    async def wait_on_loop(self):
        event = asyncio.Event()
        self.waiting.append((asyncio.get_running_loop(), event))
        if not self.is_set():
            await event.wait()


release = Release()  # what `hold` waits for
seen: list[bytes] = []  # by `reply_held`


def shout(connection):
    while line := connection.recv_until(b"\n"):
        connection.sendall(line.upper())


async def shout_on_loop(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()


def echo(connection):
    while data := connection.recv():
        connection.sendall(data)


async def echo_on_loop(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def fail(connection):
    raise ValueError(f"failed at {connection.recv()!r}")


async def fail_on_loop(reader, writer):
    raise ValueError(f"failed at {await reader.read(100)!r}")


def leave(connection):
    raise SystemExit(3)


async def leave_on_loop(reader, writer):
    raise asyncio.CancelledError


def four(connection):
    """Needs four bytes, then says so."""
    connection.recv_exactly(4)
    connection.sendall(b"four")


async def four_on_loop(reader, writer):
    await reader.readexactly(4)
    writer.write(b"four")
    await writer.drain()


def hold(connection):
    """Says hello, waits for the test, says goodbye."""
    connection.sendall(b"hello\n")
    release.wait(30)
    connection.sendall(b"goodbye\n")


async def hold_on_loop(reader, writer):
    writer.write(b"hello\n")
    await writer.drain()
    await release.wait_on_loop()
    writer.write(b"goodbye\n")
    await writer.drain()


def stuck(connection):
    """Notices nothing."""
    connection.sendall(b"hello\n")
    release.wait(30)


async def stuck_on_loop(reader, writer):
    writer.write(b"hello\n")
    await writer.drain()
    release.wait(30)  # and holds up the loop


def flood(connection):
    """Sends without an end to who does not read."""
    while True:
        connection.sendall(b"x" * 65536)


async def flood_on_loop(reader, writer):
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


def refuse(connection):
    """Answers without reading the rest of what comes."""
    connection.recv_exactly(1)
    connection.sendall(b"no\n")


async def refuse_on_loop(reader, writer):
    await reader.readexactly(1)
    writer.write(b"no\n")
    await writer.drain()


def cut(connection):
    """Ends in the middle of what it promised."""
    connection.recv_until()
    connection.sendall(b"ab")


async def cut_on_loop(reader, writer):
    await reader.readline()
    writer.write(b"ab")
    await writer.drain()


def reset(connection):
    connection.recv_until()
    sock = connection._stream._sock  # the connection itself only ends in order
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def reset_on_loop(reader, writer):
    await reader.readline()
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def whose(connection):
    """Names the client by its certificate."""
    connection.sendall(connection.certificate["subject"][0][0][1].encode())


async def whose_on_loop(reader, writer):
    writer.write(writer.get_extra_info("peercert")["subject"][0][0][1].encode())
    await writer.drain()


def framed(connection):
    """Two bytes say how many follow; they come back in capitals."""
    while True:
        head = connection.recv_exactly(2)
        body = connection.recv_exactly(int.from_bytes(head, "big"))
        connection.sendall(head + body.upper())


async def framed_on_loop(reader, writer):
    while True:
        head = await reader.readexactly(2)
        body = await reader.readexactly(int.from_bytes(head, "big"))
        writer.write(head + body.upper())
        await writer.drain()


def other(connection):
    """Fails as if its own connection had, but another one did."""
    raise ConnectionLost("tcp://elsewhere:1 has gone", address="tcp://elsewhere:1", phase="recv")


async def other_on_loop(reader, writer):
    raise ConnectionLost("tcp://elsewhere:1 has gone", address="tcp://elsewhere:1", phase="recv")


# ---- datagrams -------------------------------------------------------------------------------------------------------


def reply(data):
    return data.upper()


def reply_to(data, sender):
    return data + b" from " + str(sender).encode()


async def reply_later(data):
    await asyncio.sleep(0)
    return data.upper()


async def reply_to_later(data, sender):
    return data + b" from " + str(sender).encode()


def reply_held(data):
    seen.append(data)
    release.wait(30)
    return data.upper()


async def reply_held_on_loop(data):
    seen.append(data)
    await release.wait_on_loop()
    return data.upper()


def reply_badly(data):
    if data == b"fail":
        raise ValueError("failed")
    if data == b"file":
        raise FileNotFoundError(2, "none of that name")
    if data == b"text":
        return "text"
    if data == b"large":
        return b"x" * 65508
    return None if data == b"none" else data

"""Frames between a manager and its clients, and the two ways to put a value in one.

Rule: nothing here is read before both sides have proved that they have the key.

::

    kind, number, length | body         CALL 17  ("3", "__getitem__", ("a",), {}, thread)
                                        RETURN 17  1

Each call carries a number and each answer repeats it, so that many threads share one connection.
"""

from __future__ import annotations

import os
import pickle
import secrets
import socket
import struct
import sys
from collections import deque
from typing import Any, Protocol

from elsewhere.runtime import issued
from elsewhere.runtime.packing import dumps_result
from elsewhere.runtime.packing.packer import CONNECTION, MAIN

__all__ = ["HEADER", "HELLO", "XML", "Codec", "Inbox", "Pickling", "Xml", "codec_for", "private_address"]

HEADER = struct.Struct("<IQQ")
HELLO = b"elsewhere manager 1\n"  # both sides, after the key: a stranger's next message is not taken for a frame

# A client's frames. The last three are not answered.
CALL, CALL_BY_VALUE, INCREF, DECREF, CANCEL = range(1, 6)
# A server's.
RETURN, ERROR, PROXY, TRACEBACK, UNSERIALIZABLE, RETURN_BY_VALUE = range(1, 7)

CHUNK = 1 << 16  # bytes asked of a socket at once; more, and malloc takes them from the system each time
XML = "xmlrpclib"


class Inbox:
    """Bytes in, whole frames out."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """The frames that are complete now; mostly the data are exactly one."""
        if not self._buffer and len(data) >= HEADER.size:
            kind, number, length = HEADER.unpack_from(data)
            if len(data) == HEADER.size + length:
                return [(kind, number, data[HEADER.size :])]
        buffer: bytes | bytearray = data
        if self._buffer:
            self._buffer += data
            buffer = self._buffer
        frames, start, end = [], 0, len(buffer)
        while end - start >= HEADER.size:
            kind, number, length = HEADER.unpack_from(buffer, start)
            if end - start - HEADER.size < length:
                break
            start += HEADER.size
            frames.append((kind, number, bytes(buffer[start : start + length])))
            start += length
        if buffer is self._buffer:
            del self._buffer[:start]
        elif start < end:
            self._buffer += data[start:]
        return frames


def names_main(body: bytes) -> bool:
    """Does it refer to what some ``__main__`` defines?"""
    return body.find(MAIN) >= 0


def by_value(value: Any, packer: Any = None) -> tuple[Any, ...]:
    """The arguments of `loads_by_value`."""
    from elsewhere.runtime.packing import Packer

    packer = packer or Packer()
    packed = packer.item(value, lambda: "what goes to or comes from a manager")
    return [tuple(packer.definitions[digest]) for digest in packed.needs], packed.needs, packed.body


def loads_by_value(definitions: Any, needs: tuple[bytes, ...], body: bytes) -> Any:
    """A value with the definitions it needs, in a process that does not run that ``__main__``."""
    from elsewhere.runtime.packing import Namespace
    from elsewhere.runtime.packing.namespace import current

    namespace = current() or Namespace()
    for definition in definitions:
        namespace.learn(*definition)
    namespace.apply(needs)
    return namespace.loads(body)


class Codec(Protocol):
    """How values become bytes."""

    def call(self, value: Any) -> tuple[int, bytes]:
        """A client's frame, and its kind."""

    def result(self, value: Any) -> bytes:
        """A server's."""

    def loads(self, body: bytes) -> Any:
        """What came, on either side; not for CALL_BY_VALUE."""


class Pickling:
    """Plain pickle where it suffices; by value what the client's ``__main__`` defines: the manager never runs that."""

    def __init__(self) -> None:
        self._kept: deque[Any] = deque(maxlen=64)  # the packers, for classes that come back

    def call(self, value: Any) -> tuple[int, bytes]:
        mark = issued.mark()
        try:
            body = pickle.dumps(value, 5)
        except Exception:  # noqa: BLE001 - pickling runs the user's code; what it raises again below is the user's
            issued.take_back(mark)
            return self._by_value(value)
        if body.find(MAIN) >= 0 or body.find(CONNECTION) >= 0:
            issued.take_back(mark)
            return self._by_value(value)
        return CALL, body

    def _by_value(self, value: Any) -> tuple[int, bytes]:
        from elsewhere.runtime.packing import Packer

        packer = Packer()
        self._kept.append(packer)
        return CALL_BY_VALUE, pickle.dumps(by_value(value, packer), 5)

    def result(self, value: Any) -> bytes:
        return dumps_result(value)

    def loads(self, body: bytes) -> Any:
        return pickle.loads(body)


class Xml:
    """multiprocessing's ``serializer="xmlrpclib"``: plain data only; tuples arrive as lists."""

    def call(self, value: Any) -> tuple[int, bytes]:
        *rest, thread = value
        return CALL, self.result((*rest, str(thread)))  # too large a number for XML-RPC

    def result(self, value: Any) -> bytes:
        import xmlrpc.client

        if isinstance(value, BaseException):
            raise TypeError("XML-RPC has no exceptions: their text travels")
        return xmlrpc.client.dumps((value,), None, None, None, True).encode()

    def loads(self, body: bytes) -> Any:
        import xmlrpc.client

        (value,), _ = xmlrpc.client.loads(body.decode(), use_builtin_types=True)
        return value


def codec_for(serializer: str) -> Codec:
    """The codec that multiprocessing's ``serializer=`` argument names."""
    return Xml() if serializer == XML else Pickling()


def private_address() -> str | None:
    """A Unix socket that leaves no file behind, whoever is killed; None where the system has none such.

    Who may connect is not a matter of the file's mode then: the server asks the kernel for the peer's user, and the
    key has to be proved as ever.
    """
    return f"\0elsewhere-manager-{os.getpid()}-{secrets.token_hex(8)}" if sys.platform == "linux" else None


def same_user(sock: socket.socket) -> bool:
    """Is the process at the other end of a Unix socket this user's, or root's?"""
    if not hasattr(socket, "SO_PEERCRED") or sock.family != socket.AF_UNIX:
        return True
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid in (0, os.geteuid())

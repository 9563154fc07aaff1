"""Str and bytes on the wire of before 2013, which knows one type for both, and which the original speaks.

What goes out is of that type. What comes in: without an `unpack_encoding` all of it is bytes; with one, a str of a new
peer or an old one's raw is decoded, and bin is bytes. What cannot be decoded arrives as bytes too, where the original's
decoder lost its place in the stream.
"""

from __future__ import annotations

import codecs
import socket
from typing import Any

from elsewhere.sansio.msgpackrpc import NOTIFY, RESPONSE, Message, Wire

__all__ = ["Encodings", "Stream"]

# Bytes of a message. The original has no limit below 2 GiB, and its programs send images.
LIMIT = 256 << 20
CHUNK = 1 << 16  # bytes of one read
_ESCAPE = "elsewhere-msgpackrpc"
_UTF_8 = "utf-8"


class _Escapes:
    """Counts what was no UTF-8, so that only then somebody has to look for it."""

    count = 0

    def __call__(self, error: UnicodeError) -> tuple[str | bytes, int]:
        self.count += 1
        return codecs.lookup_error("surrogateescape")(error)


_escapes = _Escapes()
codecs.register_error(_ESCAPE, _escapes)


class Encodings:
    """The two encodings of a client or server.

    Args:
        pack: of each str that goes out.
        unpack: of each str that comes in; None leaves it bytes.

    Raises:
        LookupError: Python knows no such encoding.
    """

    def __init__(self, pack: str | None, unpack: str | None) -> None:
        self._pack = pack and codecs.lookup(pack).name
        self._unpack = unpack and codecs.lookup(unpack).name

    def outgoing(self, value: Any) -> Any:
        """As the wire takes it.

        Raises:
            UnicodeEncodeError: the encoding has not all of its letters.
        """
        return value if self._pack == _UTF_8 else _encoded(value, self._pack)

    def stream(self, items: int) -> Stream:
        """A connection's machine; arrays and maps that come in hold so many at most."""
        wire = Wire(
            limit=LIMIT, items=items, old_raw=True, raw=self._unpack is None, escape=_ESCAPE, default=_to_msgpack
        )
        return Stream(wire, self._unpack)


class Stream:
    """What comes in on one connection.

    Attributes:
        wire: its machine, which packs what goes out.
    """

    def __init__(self, wire: Wire, encoding: str | None) -> None:
        self.wire = wire
        self._encoding = encoding
        self._escapes = _escapes.count  # when no message was under way

    def receive(self, sock: socket.socket, flags: int = 0) -> bytes:
        """Read once, for `take`; nothing at the end. Raises `OSError` as the socket does, and has then read nothing."""
        return sock.recv(CHUNK, flags)

    def take(self, data: bytes) -> list[Message]:
        """The messages that are whole now."""
        messages = self.wire.feed(data)
        if self._encoding == _UTF_8:
            # What is escaped may be so when its message has come half.
            before, now = self._escapes, _escapes.count
            if not self.wire.missing:
                self._escapes = now
            if before == now:
                return messages
        elif self._encoding is None:
            return messages
        for message in messages:
            at = 2 if message[0] in {NOTIFY, RESPONSE} else 3
            message[at:] = [_decoded(part, self._encoding) for part in message[at:]]
        return messages


def _to_msgpack(value: Any) -> Any:
    if isinstance(value, int):
        raise OverflowError(f"{value} is no integer of 64 bits, the most that MessagePack knows")
    return value.to_msgpack()


def _encoded(value: Any, encoding: str | None) -> Any:
    if isinstance(value, str):
        if encoding is None:
            raise TypeError("Can't encode unicode string: no encoding is specified")  # the original codec's words
        return value.encode(encoding)
    if isinstance(value, (list, tuple)):
        return [_encoded(part, encoding) for part in value]
    if isinstance(value, dict):
        return {_encoded(key, encoding): _encoded(part, encoding) for key, part in value.items()}
    if hasattr(value, "to_msgpack"):
        return _encoded(value.to_msgpack(), encoding)
    return value


def _decoded(value: Any, encoding: str) -> Any:
    if type(value) is str:
        raw = value.encode(_UTF_8, "surrogateescape")
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            return raw
    if type(value) is list:
        return [_decoded(part, encoding) for part in value]
    if type(value) is dict:
        return {_decoded(key, encoding): _decoded(part, encoding) for key, part in value.items()}
    return value

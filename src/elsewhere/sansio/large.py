"""Large bytes in messages, which are neither copied into a message nor out of it.

The codec copies what it packs twice, and what it unpacks as often; for 10 MB that takes as long as the network. So
large bytes of a message are pieces of their own when it is sent. When one comes whose last value is large, which is
what results and single arguments are, the codec gets the rest of it with an empty value in that place.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from elsewhere.sansio.claims import last_bin

__all__ = ["LARGE", "Tail", "begins", "in_pieces", "is_large"]

LARGE = 1 << 18  # bytes of a value from which on it is worth the trouble
SMALL = 4096  # bytes of a piece up to which it is copied behind the one before
_EMPTY = b"\xc4\x00"
_HEADERS = {0xC4: 2, 0xC5: 3, 0xC6: 5}  # bytes


def is_large(values: Sequence[Any]) -> bool:
    """Is any of them large bytes?"""
    for value in values:  # noqa: SIM110 - a generator costs more than the loop, and this is asked for each call
        if type(value) is bytes and len(value) >= LARGE:
            return True
    return False


def begins(head: bytes | bytearray | memoryview) -> int:
    """How many bytes are before the last value of the message that begins here, if that is large; else 0."""
    found = last_bin(head)
    if found is None or found[1] < LARGE:
        return 0
    return found[0] + _HEADERS[head[found[0]]]


def in_pieces(pack: Callable[[Any], bytes], front: Sequence[Any], values: Sequence[Any], mark: bytes) -> list[bytes]:
    """What packing ``[*front, values]`` would give, in pieces: large bytes are themselves such.

    Args:
        pack: packs one value.
        mark: what begins bytes of up to 4 GiB: bin 32, or raw 32 of the old specification.
    """
    pieces = []
    small = [_array(len(front) + 1), *map(pack, front), _array(len(values))]
    for value in values:
        if type(value) is bytes and len(value) >= LARGE:
            small.append(mark + struct.pack(">I", len(value)))
            pieces += [b"".join(small), value]
            small = []
        else:
            small.append(pack(value))
    if small:
        pieces.append(b"".join(small))
    return pieces


def _array(count: int) -> bytes:
    if count < 16:
        return bytes((0x90 | count,))
    return struct.pack(">BH", 0xDC, count) if count < 1 << 16 else struct.pack(">BI", 0xDD, count)


class Tail:
    """The last value of the message under way, while it comes.

    Attributes:
        front: the message's bytes, with an empty value in the place of the last one.
        missing: bytes that it still lacks.
    """

    __slots__ = ("_pieces", "front", "missing")

    def __init__(self, front: bytes, first: bytes, missing: int) -> None:
        self.front = front
        self.missing = missing
        self._pieces: list[bytes | bytearray] = [first] if first else []

    @classmethod
    def of(cls, head: bytes, data: bytes | bytearray | memoryview, waiting: int) -> Tail | None:
        """What is to be received apart, if there is such.

        Args:
            head: how the message begins.
            data: what has come just now, which ends in the last of `waiting` bytes of the message.
        """
        found = last_bin(head)
        if found is None:
            return None
        at, size = found
        have = waiting - at - _HEADERS[head[at]]
        if size - have < LARGE or not 0 <= have <= len(data):
            return None
        return cls(head[:at] + _EMPTY, bytes(data[len(data) - have :]), size - have)

    def feed(self, data: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
        """Take what belongs to it; gives back what is behind it."""
        mine = data if len(data) <= self.missing else data[: self.missing]
        if len(mine) >= SMALL:
            self._pieces.append(mine if type(mine) is bytes else bytes(mine))
        elif self._pieces and type(self._pieces[-1]) is bytearray:
            self._pieces[-1] += mine
        else:  # an object for each byte would take forty times its room
            self._pieces.append(bytearray(mine))
        self.missing -= len(mine)
        return data[len(mine) :]

    def complete(self, message: list[Any]) -> None:
        """Put it into its place in the decoded message."""
        holder = message
        while type(holder[-1]) is list:
            holder = holder[-1]
        holder[-1] = b"".join(self._pieces)

"""The frames between a pool and the workers it started itself: bytes in, frames out.

Rule: layout only. Both ends are the same Python on the same machine, so integers are native and values are pickles
that the packing room made. Bytes may be cut anywhere.

To a worker, a header of 16 bytes (kind, shape, payload length, function number, calls) and the payload::

    SETUP     pickle of the caller's surroundings and the initializer
    LEARN     pickle of one definition
    FUNCTION  number; pickle of (body, needs)
    RUN       shape, number, calls; batched: one pickle of a list; otherwise needs, lengths, and a pickle for each call
    SKIP      first and last ordinal not to begin
    EXIT      no more calls will come
    FORGET    drop all functions and definitions: they will be sent again
    WITHDRAW  drop the calls from this ordinal on
    BLOCKS    news of blocks of shared memory, see `elsewhere.runtime.memory.exchange`
    SHARE     pickle of a shared object: its token, body, needs and definitions
    UNSHARE   token of a shared object that no call refers to any more

From a worker, a header of 32 bytes (kind, record kind, payload length, tail, open segment, busy nanoseconds); every
frame carries the state of its page at that moment, so the order of answers on the page and on the socket is kept::

    READY     the initializer has run
    FAILED    the initializer raised; pickle of the error's envelope
    BELL      look at the page; news of blocks, if there are any
    BIG       one record that is too large for the page
    OUTPUT    text for the caller's stdout (record kind 1) or stderr (2)
    RELEASED  withdrawn calls are dropped
    LOG       a log record (record kind 0) or a warning (1) for the caller's handlers
    WORN      the worker wants to be replaced: it takes more memory than it may

Those of `ASIDE` say nothing of the page.
"""

from __future__ import annotations

import enum
import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from elsewhere.errors import ProtocolError

__all__ = ["ASIDE", "Command", "Parser", "Reply", "Shape", "ToWorker", "join_run", "split_run"]

TO_WORKER = struct.Struct("=BBxxIII")
FROM_WORKER = struct.Struct("=BBxxIQQQ")
SKIP_RANGE = struct.Struct("=QQ")
BATCHED = 0x80  # on a run's shape: its calls are one pickled list
TIMED = 0x40  # on a run's shape: its calls have a timeout, so that each one's beginning must be known
HEAP = 0x04  # times the binary logarithm of `Job.heap`, on a run's shape
HEAPS = 0x3C  # the bits of that
SHAPE = 0x03  # what is left of it without all these
ORDINAL = struct.Struct("=Q")
DIGEST = 16  # bytes of a definition's name
LARGEST = 0xFFFF_FFFF  # bytes of a payload


class ToWorker(enum.IntEnum):
    """Kinds of frames to a worker."""

    SETUP = 1
    LEARN = 2
    FUNCTION = 3
    RUN = 4
    SKIP = 5
    EXIT = 6
    FORGET = 7
    BLOCKS = 8
    SHARE = 9
    UNSHARE = 10
    WITHDRAW = 11


class Reply(enum.IntEnum):
    """Kinds of frames from a worker."""

    READY = 1
    FAILED = 2
    BELL = 3
    BIG = 4
    OUTPUT = 5
    LOG = 6
    WORN = 7
    RELEASED = 8


ASIDE = frozenset({Reply.OUTPUT, Reply.LOG, Reply.WORN})


class Shape(enum.IntEnum):
    """How a call's item becomes arguments."""

    ONE = 0  # fn(item)
    STAR = 1  # fn(*item)
    BOTH = 2  # fn(*item[0], **item[1])


class Command(NamedTuple):
    """A frame to a worker."""

    kind: int
    shape: int
    function: int
    calls: int
    payload: memoryview


def command(kind: int, payload_size: int = 0, *, shape: int = 0, function: int = 0, calls: int = 0) -> bytes:
    """The header of a frame to a worker.

    Raises:
        ValueError: the payload is 4 GiB or more.
    """
    if payload_size > LARGEST:
        raise ValueError(f"a call's arguments take {payload_size:,} bytes; at most {LARGEST:,} can travel at once")
    return TO_WORKER.pack(kind, shape, payload_size, function, calls)


def join_run(bodies: Sequence[bytes], needs: Sequence[bytes]) -> list[bytes]:
    """The payload of a run whose calls are pickled one by one, as pieces to be sent in order."""
    lengths = array("Q", [len(body) for body in bodies])
    return [struct.pack("=I", len(needs)), *needs, lengths.tobytes(), *bodies]


def split_run(payload: memoryview, calls: int) -> tuple[tuple[bytes, ...], list[memoryview]]:
    """Needs and bodies of such a payload.

    Raises:
        ProtocolError: the lengths do not add up.
    """
    (needs,) = struct.unpack_from("=I", payload) if len(payload) >= 4 else (0,)
    at = 4 + needs * DIGEST
    if len(payload) < at + 8 * calls:
        raise ProtocolError(f"a run of {calls} calls and {needs} needs has only {len(payload)} bytes")
    wanted = tuple(bytes(payload[4 + i * DIGEST : 4 + (i + 1) * DIGEST]) for i in range(needs))
    lengths = array("Q", payload[at : at + 8 * calls].tobytes())
    at += 8 * calls
    bodies = []
    for length in lengths:
        bodies.append(payload[at : at + length])
        at += length
    if at != len(payload):
        raise ProtocolError(f"a run of {calls} calls says {at} bytes and has {len(payload)}")
    return wanted, bodies


class Parser:
    """Frames out of a stream that may be cut anywhere.

    Args:
        header: the layout of the frames' headers; its third field is the payload's length.
    """

    def __init__(self, header: struct.Struct) -> None:
        self._header = header
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not whole yet."""
        return len(self._buffer)

    def feed(self, data: bytes | memoryview) -> Iterator[tuple[tuple[int, ...], memoryview]]:
        """Header and payload of each frame that is whole now; the payload is valid for good."""
        if self._buffer:
            self._buffer += data
            if not self._whole():
                return iter(())
            data, self._buffer = bytes(self._buffer), bytearray()
        view, size = memoryview(data), self._header.size
        if len(view) >= size and (fields := self._header.unpack_from(view))[2] == len(view) - size:
            return iter(((fields, view[size:]),))  # most: one frame, whole
        return self._split(view)

    @property
    def empty(self) -> bool:
        """Is nothing there of a frame whose rest has not come?"""
        return not self._buffer

    def _whole(self) -> bool:
        if len(self._buffer) < self._header.size:
            return False
        length: int = self._header.unpack_from(self._buffer)[2]
        return len(self._buffer) >= self._header.size + length

    def _split(self, data: memoryview) -> Iterator[tuple[tuple[int, ...], memoryview]]:
        size, at, frames = self._header.size, 0, []
        while len(data) - at >= size:
            fields = self._header.unpack_from(data, at)
            end = at + size + fields[2]
            if end > len(data):
                break
            frames.append((fields, data[at + size : end]))
            at = end
        self._buffer += data[at:]
        return iter(frames)

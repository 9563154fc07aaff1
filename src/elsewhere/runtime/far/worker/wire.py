"""The wire between a caller and a far worker: what each frame is, and bytes into frames.

Both ways a frame is a header (kind, flags, 0, number, size) and a payload of so many bytes. The caller's side imports
this file, too, so that there is one definition::

    to the worker
      SETUP      pickle of a dictionary of plain values, see `main.Start.adopt`
      FUNCTION   number; body of a function, loaded when it is first called
      RUN        number of the function, flags; count, then BATCHED: one pickled list; else size and body of each item
      SHARE      number of an object; its body, loaded when it is first used, or "/proc/...": a file that holds it;
                 LENT: others of this machine are to find it; BORROWED: pid of who lends it, and its size
      UNSHARE    number
      SKIP       first and last ordinal that are not to be begun
      INTERRUPT  flags: 1 cancelled, 0 late; ordinal of the call that is to stop
      WITHDRAW   drop all that is not begun, and say so
      MODULE     answer to ASK: pickle of (name, None) or (name, (source, filename, is it a package))
      EXIT       leave in order when what was handed over is done
      DUMP       say what all threads do
      FORGET     number of a function that is not called any more
    from the worker
      HELLO      JSON: version, implementation, pid, cores, platform, executable
      READY      the initializer has run
      VALUE      number: microseconds the call took; pickle of the value
      ERROR      pickle of (body or None, kind, text, traceback, call, seconds)
      SKIPPED    a call that was to be skipped, in its turn
      OUTPUT     flags: STDOUT or STDERR; text
      LOG        flags: RECORD or WARNING; pickle of plain values
      RELEASED   how many calls it has begun so far, ever
      ASK        name of a module
      FAILED     as ERROR: the setup or the initializer has failed; it ends
      STACKS     text
      WANT       number of an object that was to be borrowed, and nobody lends any more

Calls are counted from 1 over a worker's life; after WITHDRAW the places of the dropped ones are given to the next.
"""

from __future__ import annotations

import struct
from typing import Any

HEADER = struct.Struct("<BBHIQ")
# To the worker:
SETUP, FUNCTION, RUN, SHARE, UNSHARE, SKIP, INTERRUPT, WITHDRAW, MODULE, EXIT, DUMP, FORGET = range(1, 13)
# From the worker:
HELLO, READY, VALUE, ERROR, SKIPPED, OUTPUT, LOG, RELEASED, ASK, FAILED, STACKS, WANT = range(1, 13)
# Flags of a RUN: how a call's item becomes arguments, and whether all items are one pickled list.
ONE, STAR, BOTH, SHAPE, BATCHED = 0, 1, 2, 3, 4
STDOUT, STDERR = 1, 2  # flags of OUTPUT
RECORD, WARNING = 0, 1  # flags of LOG
LENT, BORROWED = 1, 2  # flags of SHARE
COUNT, ORDINAL, RANGE = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<QQ")
LARGEST = 1 << 40  # bytes of a payload: what claims more is no message
ROOMY = 1 << 18  # bytes that a payload still lacks, from which on it is worth a place of its own
SMALL = 4096  # bytes; pieces of a payload that are smaller are put together as they come


def header(kind: int, size: int = 0, flags: int = 0, number: int = 0) -> bytes:
    """The bytes before a payload of `size` bytes."""
    return HEADER.pack(kind, flags, 0, number, size)


def frame(kind: int, payload: bytes = b"", flags: int = 0, number: int = 0) -> bytes:
    """A whole frame; a large payload is better sent after its `header`, without a copy."""
    return HEADER.pack(kind, flags, 0, number, len(payload)) + payload


class Frames:
    """Bytes in, frames out; they may be cut anywhere. What is kept is never more than what has come."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._rest = b""  # less than a header
        self._head = 0, 0, 0
        self._parts: list[Any] = []  # of the payload that has begun
        self._missing = 0
        self._whole: bytearray | None = None  # see `room`

    def room(self) -> memoryview | None:
        """Where the rest of a large payload may be read to, followed by `filled`; None if there is none.

        The peer is believed how much that is: not for the caller, who believes no host.
        """
        if self._whole is None:
            if self._missing < ROOMY:
                return None
            begun = b"".join(self._parts)
            self._whole, self._parts = bytearray(len(begun) + self._missing), []
            self._whole[: len(begun)] = begun
        return memoryview(self._whole)[-self._missing :]

    def filled(self, count: int) -> list[tuple[int, int, int, Any]]:
        """So many bytes have been read to `room`; returns the frame if it is complete."""
        self._missing -= count
        if self._missing:
            return []
        whole, self._whole = self._whole, None
        return [(*self._head, whole)]

    def feed(self, data: bytes) -> list[tuple[int, int, int, bytes]]:
        """The frames that are complete now: (kind, flags, number, payload).

        Raises:
            ValueError: these bytes are no frames.
        """
        found: list[tuple[int, int, int, bytes]] = []
        at, end = 0, len(data)
        if self._missing:
            if end < self._missing:
                self._keep(data)
                return found
            at = self._missing
            self._parts.append(data if at == end else data[:at])
            found.append((*self._head, b"".join(self._parts)))
            self._parts, self._missing = [], 0
        elif self._rest:
            data = self._rest + data
            end = len(data)
        while end - at >= HEADER.size:
            kind, flags, zero, number, size = HEADER.unpack_from(data, at)
            if zero or not 1 <= kind <= FORGET or size > self._largest:
                raise ValueError(f"these bytes begin no frame: {data[at : at + HEADER.size]!r}")
            at += HEADER.size
            if end - at < size:
                self._head, self._missing = (kind, flags, number), size
                self._rest = b""
                self._keep(data[at:])
                return found
            found.append((kind, flags, number, data[at : at + size]))
            at += size
        self._rest = data[at:]
        return found

    def _keep(self, data: bytes) -> None:
        """A part of a payload. A peer that sends it byte by byte must not cost many times its size."""
        self._missing -= len(data)
        parts = self._parts
        if len(data) >= SMALL:
            parts.append(data)
        elif parts and type(parts[-1]) is bytearray and len(parts[-1]) < 16 * SMALL:
            parts[-1] += data
        else:
            parts.append(bytearray(data))

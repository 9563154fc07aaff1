"""Frames between a child and its caller, as far as they concern who carries them."""

from __future__ import annotations

import struct
from typing import Any

__all__ = ["ANSWERS", "FAILED", "HURRY", "ORDINAL", "READY", "RELEASED", "Reader", "share", "without_runs"]

HEADER = struct.Struct("<BBHIQ")  # kind, flags, 0, number, bytes of payload: as in elsewhere's far worker
ORDINAL = struct.Struct("<Q")
RUN, SHARE = 3, 4  # frames to a child: calls, and an object that they share
HELLO, READY, VALUE, ERROR, SKIPPED, RELEASED, ASK, FAILED = 1, 2, 3, 4, 5, 8, 9, 10  # ... and from it
ANSWERS = frozenset((VALUE, ERROR, SKIPPED))
HURRY = frozenset((HELLO, READY, RELEASED, ASK, FAILED))  # somebody waits for these


class Reader:
    """Counts the frames in a stream of bytes, without taking them apart."""

    def __init__(self) -> None:
        self.skip = 0  # bytes of the present payload that are still to come
        self.kind = 0
        self._head = b""
        self._body: bytearray | None = None  # of a payload that concerns us

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The kinds of the frames that are complete now, with the payload where it concerns us."""
        found: list[tuple[int, bytes]] = []
        at, end = 0, len(data)
        while at < end or (not self.skip and self.kind):
            if self.kind:
                step = min(self.skip, end - at)
                if self._body is not None:
                    self._body += data[at : at + step]
                at += step
                self.skip -= step
                if self.skip:
                    break
                found.append((self.kind, bytes(self._body or b"")))
                self.kind, self._body = 0, None
                continue
            head = self._head + data[at : at + HEADER.size - len(self._head)]
            at += len(head) - len(self._head)
            if len(head) < HEADER.size:
                self._head = head
                break
            self._head = b""
            self.kind, _, _, _, self.skip = HEADER.unpack(head)
            self._body = bytearray() if self.kind == RELEASED else None
        return found


def share(token: int, body: Any) -> bytes:
    """The frame of a shared object."""
    return b"".join((HEADER.pack(SHARE, 0, 0, token, len(body)), body))


def without_runs(pieces: list[Any]) -> list[Any]:
    """The same frames without the calls, which are others' now."""
    data = b"".join(pieces)
    kept: list[bytes] = []
    at = 0
    while at < len(data):
        kind, _, _, _, size = HEADER.unpack_from(data, at)
        end = at + HEADER.size + size
        if kind != RUN:
            kept.append(data[at:end])
        at = end
    return kept

"""The tar stream of a put, made in a thread piece by piece: for a small file, a header and its bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Iterator

from elsewhere.fleet.files.wanted import Payload
from elsewhere.sansio.hosts.copies.headers import END, header, padding
from elsewhere.sansio.hosts.copies.tree import Entry

__all__ = ["pieces"]

PIECE = 256 << 10  # bytes of small files
LARGE = 1 << 20  # ... of a large one
RECENT = 2 * 10**9  # nanoseconds: a file that is that young may change again within the second its time is told in


def pieces(items: Iterable[tuple[str, Entry, Payload]], last: tuple[str, bytes]) -> Generator[bytes, None, None]:
    """The stream.

    Args:
        items: names in the archive, with what they are and the contents of files.
        last: the name and the contents of the member that ends it.

    Raises:
        OSError: a file cannot be read, or has become shorter while it was.
    """
    now = time.time_ns()
    held = bytearray()
    for name, entry, payload in items:
        encoded = name.encode("utf-8", "surrogateescape")
        if entry.kind != "file":
            held += header(encoded, entry)
        else:
            for piece in _file(encoded, entry, payload, now):
                if len(piece) >= PIECE and not held:
                    yield piece
                    continue
                held += piece
                if len(held) >= PIECE:
                    yield bytes(held)
                    held.clear()
    script = Entry("", "file", 0o600, len(last[1]))
    held += header(last[0].encode(), script) + last[1] + padding(len(last[1])) + END
    yield bytes(held)


def _file(name: bytes, entry: Entry, payload: Payload, now: int) -> Iterator[bytes]:
    if isinstance(payload, bytes):
        yield header(name, entry) + payload + padding(len(payload))
        return
    fd = os.open(payload, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)) if isinstance(payload, str) else payload
    try:
        found = os.fstat(fd)
        mtime = found.st_mtime_ns if isinstance(payload, str) else entry.mtime
        entry = entry._replace(size=found.st_size, mtime=mtime)
        exact = now - mtime < RECENT
        if entry.size <= PIECE:
            data = os.pread(fd, PIECE + 1, 0)
            if len(data) <= PIECE:  # as it is now, whatever it was a moment ago
                yield header(name, entry._replace(size=len(data)), exact=exact) + data + padding(len(data))
                return
        yield header(name, entry, exact=exact)
        at = 0
        while at < entry.size:
            data = os.pread(fd, min(LARGE, entry.size - at), at)
            if not data:
                raise OSError(f"{payload!r} has become shorter while it was read: {at} of {entry.size} bytes")
            at += len(data)
            yield data
        yield padding(entry.size)
    finally:
        if isinstance(payload, str):
            os.close(fd)

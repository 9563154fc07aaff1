"""Bodies as gzip, within limits."""

from __future__ import annotations

import gzip
import zlib
from io import BytesIO
from typing import Any
from xmlrpc.client import ResponseError

__all__ = ["GzipDecodedResponse", "gzip_decode", "gzip_encode"]

MAX_DECODE = 20 << 20  # bytes; the original's default
_AS_GZIP = 16 + zlib.MAX_WBITS


def gzip_encode(data: bytes) -> bytes:
    """The bytes as gzip, packed quickly rather than well."""
    return gzip.compress(data, compresslevel=1)


def gzip_decode(data: bytes, max_decode: int = MAX_DECODE) -> bytes:
    """The bytes that are in a gzip.

    Args:
        data: the gzip; it may have several members.
        max_decode: the most that it may hold, in bytes; 20 MiB by default. A negative number means no limit.

    Raises:
        ValueError: it is no gzip, or it is cut, or it holds more.
    """
    pieces: list[bytes] = []
    room = max_decode
    while data:
        unpacking = zlib.decompressobj(_AS_GZIP)
        try:
            piece = unpacking.decompress(data, max(0, room + 1))  # 0 means no limit, to it
        except zlib.error:
            raise ValueError("invalid data") from None
        room -= len(piece) if max_decode >= 0 else 0
        if room < 0 <= max_decode:
            raise ValueError("max gzipped payload length exceeded")
        if not unpacking.eof:
            raise ValueError("invalid data")
        pieces.append(piece)
        data = unpacking.unused_data.lstrip(b"\0")  # which gzip allows behind a member
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class GzipDecodedResponse(gzip.GzipFile):
    """A file of what is in an answer that came as gzip.

    Args:
        response: the answer; anything with a `read`.
        max_decode: the most bytes that it may take, packed or not; 64 MiB by default.

    Raises:
        ResponseError: it is larger; from `read`, if only what is in it is.
    """

    def __init__(self, response: Any, max_decode: int = 64 << 20) -> None:
        packed = response.read(max_decode + 1)
        self._left = max_decode
        if len(packed) > max_decode:
            raise self.too_large(max_decode)
        self.io = BytesIO(packed)
        super().__init__(mode="rb", fileobj=self.io)
        self._limit = max_decode

    @staticmethod
    def too_large(limit: int) -> ResponseError:
        """The error of an answer that takes more bytes than this."""
        return ResponseError(
            f"the answer is larger than {limit:,} bytes; Transport.max_response says how large it may be"
        )

    def read(self, size: int | None = -1) -> bytes:
        most = self._left + 1
        data = super().read(most if size is None or size < 0 else min(size, most))
        self._left -= len(data)
        if self._left < 0:
            raise self.too_large(self._limit)
        return data

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.io.close()

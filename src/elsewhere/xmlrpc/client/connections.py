"""Connections of `http.client` that write a request's headers and its body at once.

Written one after the other, they are two packets, and wake the server up twice.
"""

from __future__ import annotations

import http.client
from typing import Any

__all__ = ["Connection", "SecureConnection"]

_LARGE = 64 << 10  # bytes that are better not copied


class Connection(http.client.HTTPConnection):
    """As its base."""

    _held: list[bytes] | None = None  # what is not written yet, while a request is put together

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        if not isinstance(message_body, bytes) or len(message_body) > _LARGE:
            super().endheaders(message_body, encode_chunked=encode_chunked)
            return
        held = self._held = []
        try:
            super().endheaders(message_body, encode_chunked=encode_chunked)
        finally:
            self._held = None
        self.send(b"".join(held))

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)


class SecureConnection(Connection, http.client.HTTPSConnection):
    """As its base."""

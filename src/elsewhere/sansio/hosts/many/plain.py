r"""What a host writes, as text that a terminal shows and never obeys.

Control characters, escapes, marks that turn the direction of text around, and bytes that are no text are shown in the
spelling of Python: ``\x1b``, ``\u202e``, ``\xff``. Tabs stay.
"""

from __future__ import annotations

import re

__all__ = ["decoded", "plain"]

# C0 but the tab, DEL, C1; separators of lines and paragraphs; marks of direction; tags; halves of surrogate pairs.
_OBEYED = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def plain(text: str) -> str:
    """The text with nothing in it that a terminal obeys, in one line.

    Args:
        text: bytes that were no text are surrogates in it, as `decoded` has them.
    """
    return text if text.isascii() and text.isprintable() else _OBEYED.sub(_spelt, text)


def decoded(data: bytes, encoding: str = "utf-8") -> str:
    """Bytes as `plain` text; what is none of the encoding is shown as bytes."""
    return plain(data.decode(encoding, "surrogateescape"))


def _spelt(found: re.Match[str]) -> str:
    number = ord(found[0])
    if 0xDC80 <= number <= 0xDCFF:  # a byte that was no text
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"

"""The words of a text file, and how often each is there: `elsewhere map words.py:count`. See docs/text-index.md."""

from __future__ import annotations

import codecs
import os
import re
import stat
import unicodedata
from collections import Counter
from typing import Any

WORD = re.compile(r"\w+")  # letters, digits and underscores, of any script
LONGEST = 100  # characters; what is longer is data that somebody has encoded, and nobody looks for it
LARGEST = 32 << 20  # bytes; a larger file is a log or a dump


class NotText(ValueError):
    """A file that has no words to find."""


def count(path: str) -> dict[str, Any]:
    """How many words a file has, how many different ones, and the five that are there most often."""
    found = Counter(words(decoded(read(path))))
    most = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:5]
    return {"words": sum(found.values()), "different": len(found), "most": dict(most)}


def read(path: str) -> bytes:
    """What is in a file.

    Raises:
        OSError: it cannot be read.
        NotText: it is too large, or no file at all; a pipe, say, at which a reader would wait for ever.
    """
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):
        raise NotText("it is no regular file")
    if about.st_size > LARGEST:
        raise NotText(f"it has {about.st_size:,} bytes, and {LARGEST:,} is the most")
    with open(path, "rb") as file:
        return file.read()


def decoded(data: bytes) -> str:
    """The text that some bytes are.

    Nearly all text is UTF-8, and what is not is nearly never taken for it. UTF-16 says so by its first two bytes. All
    else is read as Latin-1, in which any bytes are text: its ASCII words are right in any case.

    Raises:
        NotText: they are not meant to be read.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data[:8192]:  # where Git looks for it, too
        raise NotText("it is binary")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def words(text: str) -> list[str]:
    """The words of a text in their order, so that the same word is always written in the same way."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)  # é may be one character or two
    return WORD.findall(text.casefold())

"""What is sent, to servers and to clients: small on the wire, and large, deep or harmful behind it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

MEGABYTE = 1_000_000
DEEP = 100_000
GIGABYTE = 1_000_000_000
FLOOD = 256 * MEGABYTE  # sent at most of what claims to be a gigabyte

Around = Callable[[str], str]  # puts a value into a call, or into an answer


def call(value: str, method: str = "echo") -> str:
    return f"<methodCall><methodName>{method}</methodName><params><param>{value}</param></params></methodCall>"


def answer(value: str) -> str:
    return f"<methodResponse><params><param>{value}</param></params></methodResponse>"


def text(value: str) -> str:
    return f"<value><string>{value}</string></value>"


def laughs(around: Around) -> str:
    """Ten entities, each of which is ten of the one before."""
    entities = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 11))
    return f"<?xml version='1.0'?><!DOCTYPE x [{entities}]>" + around(text("&a10;"))


def quadratic(around: Around) -> str:
    """One long entity, again and again: 95 times as much as is sent, which is just below where Expat stops."""
    entity = "x" * 5000
    references = MEGABYTE * 95 // len(entity)
    padding = "<!--" + "-x" * ((MEGABYTE - 3 * references - len(entity)) // 2) + "-->"
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "{entity}">]>{padding}' + around(text("&a;" * references))


def external(around: Around, secret: Path) -> str:
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>' + around(text("&e;"))


def deep(around: Around) -> str:
    return around("<value><array><data>" * DEEP + "</data></array></value>" * DEEP)


def zipped(head: bytes) -> bytes:
    """A text of 256 MB behind this, as one stream of gzip of a quarter of a megabyte."""
    packer = zlib.compressobj(9, wbits=31)
    begin = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"x" * MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b"x" * MEGABYTE) + packer.flush(
        zlib.Z_FULL_FLUSH
    )  # it may be repeated: nothing refers back
    return begin + block + again * (FLOOD // MEGABYTE - 1) + packer.flush()


def flood(around: Around) -> Iterator[bytes]:
    """A long text, of which the end does not come."""
    yield begun(around)
    for _ in range(FLOOD // MEGABYTE):
        yield b"x" * MEGABYTE


def begun(around: Around) -> bytes:
    """Up to where a text begins."""
    return around(text("|")).partition("|")[0].encode()

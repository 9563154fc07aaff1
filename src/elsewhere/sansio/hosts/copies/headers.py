"""A tar stream, written: headers as every `tar` reads them, made by hand because there is one for each small file.

Names that do not fit are told in GNU's way, which GNU, BSD and busybox all read; fractions of a second in POSIX's,
which those that do not know them pass over.
"""

from __future__ import annotations

from elsewhere.sansio.hosts.copies.tree import Entry

__all__ = ["BLOCK", "END", "header", "padding"]

BLOCK = 512
END = bytes(2 * BLOCK)
_TYPES = {"file": b"0", "folder": b"5", "link": b"2"}
_MOST_OCTAL = 8**11
_NOBODY = 2 * b"0000000\x00"


def header(name: bytes, entry: Entry, *, exact: bool = False) -> bytes:
    """What stands before a file's bytes, and is all there is of a folder or a link.

    Args:
        name: in the archive.
        entry: its kind, mode, size, time and target.
        exact: tell the time in nanoseconds.
    """
    kind = _TYPES[entry.kind]
    size = entry.size if entry.kind == "file" else 0
    target = entry.target.encode("utf-8", "surrogateescape") if entry.kind == "link" else b""
    before = b""
    if exact and entry.mtime % 10**9:
        before += _exact(entry.mtime)
    if len(target) > 100:
        before += _long(b"K", target)
        target = target[:100]
    prefix = b""
    if kind == b"5":
        name += b"/"
    if len(name) > 100:
        cut = name.find(b"/", len(name) - 101, -1)
        if 0 < cut <= 155:
            prefix, name = name[:cut], name[cut + 1 :]
        else:
            before += _long(b"L", name)
            name = name[:100]
    return before + _block(name, prefix, kind, entry.mode, size, entry.mtime // 10**9, target)


def padding(size: int) -> bytes:
    """What stands behind that many bytes of a file."""
    return bytes(-size % BLOCK)


def _block(name: bytes, prefix: bytes, kind: bytes, mode: int, size: int, mtime: int, target: bytes) -> bytes:
    # Owners are not told: what is unpacked belongs to who does it.
    numbers = b"%07o\0%s%s%s" % (mode & 0o7777, _NOBODY, _number(size), _number(mtime))
    head = name.ljust(100, b"\0") + numbers
    tail = b"%s%sustar\x0000%s%s" % (kind, target.ljust(100, b"\0"), bytes(80), prefix.ljust(167, b"\0"))
    total = sum(head) + 8 * 32 + sum(tail)
    return b"%s%06o\0 %s" % (head, total, tail)


def _number(value: int) -> bytes:
    """In octal; in base 256 what is too large or below 0."""
    if 0 <= value < _MOST_OCTAL:
        return b"%011o\0" % value
    return (b"\x80" if value > 0 else b"\xff") + value.to_bytes(11, "big", signed=True)


def _long(kind: bytes, text: bytes) -> bytes:
    text += b"\0"
    return _block(b"././@LongLink", b"", kind, 0o644, len(text), 0, b"") + text + padding(len(text))


def _exact(mtime: int) -> bytes:
    text = b" mtime=%d.%09d\n" % divmod(mtime, 10**9)
    size = len(text) + 2
    record = b"%d%s" % (size, text)
    return _block(b"PaxHeader", b"", b"x", 0o644, len(record), 0, b"") + record + padding(len(record))

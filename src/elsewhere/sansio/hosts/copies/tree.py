"""What a folder holds, as one flat list: of this machine, and of the far one, which may be lying."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

__all__ = ["Entry", "Kind", "ancestors", "parent", "safe", "staging", "within"]

Kind = Literal["file", "folder", "link", "other"]
_STAGING = re.compile(r"\.elsewhere-(\d+)-[0-9a-f]{16}")


class Entry(NamedTuple):
    """A file, a folder, a symbolic link, or something that is not copied (a device, a pipe, a socket).

    Attributes:
        path: below the folder that is spoken of, with slashes; "" for that folder itself.
        kind: what it is.
        mode: permission bits.
        size: bytes.
        mtime: when it was changed last, in nanoseconds.
        target: of a link.
    """

    path: str
    kind: Kind
    mode: int = 0
    size: int = 0
    mtime: int = 0
    target: str = ""


def parent(path: str) -> str:
    """The folder it is in; "" for the folder that is spoken of."""
    return path.rpartition("/")[0]


def ancestors(path: str) -> Iterable[str]:
    """The folders it is in, the nearest first, without the one that is spoken of."""
    while path := parent(path):
        yield path


def within(path: str, root: str) -> bool:
    """Is it below that root, or the root itself?"""
    return not root or path == root or path.startswith(f"{root}/")


def safe(path: str) -> bool:
    """Does it name something below the folder, and nothing else? What comes from a host is asked this."""
    return "\0" not in path and not {"", ".", ".."}.intersection(path.split("/"))


def staging(name: str) -> int | None:
    """The process whose half-made copy has that name; None for a name that is none of ours."""
    found = _STAGING.fullmatch(name)
    return int(found[1]) if found else None

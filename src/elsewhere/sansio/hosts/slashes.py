"""Where a copy goes: rsync's slashes, with one addition.

::

    source    to           becomes                 because
    dist/     /srv/app     /srv/app                a slash behind a folder means its contents
    dist/     /srv/app/    /srv/app
    dist      /srv/app/    /srv/app/dist           a slash behind the place means inside of it
    dist      /srv/app     /srv/app                the addition: the place is the copy, whether it is there or not
    a.txt     /srv/app/    /srv/app/a.txt
    a.txt     /srv/app     /srv/app/a.txt          where that is a folder, and else the file itself
    a, b      /srv/app     /srv/app/a, /srv/app/b  several can only go into a folder
    dist      "", ".", ~   ./dist                  the home there, or the folder here

Paths are those of Unix; on Windows the caller turns backslashes of its own side first.
"""

from __future__ import annotations

import posixpath
from typing import NamedTuple

__all__ = ["Place", "inside", "place"]


class Place(NamedTuple):
    """Where a copy goes.

    Attributes:
        path: of the copy itself: the file, or the folder that holds the contents.
        folders: the folder that must be there, and is made if it is not; "" for the one that everything begins in.
    """

    path: str
    folders: str

    @property
    def name(self) -> str:
        """Of the copy in that folder; "" if it is that folder itself."""
        if self.path in {self.folders, "."}:
            return ""
        return self.path if self.folders in {"", "."} else self.path[len(self.folders) :].lstrip("/")


def place(source: str, to: str, *, is_folder: bool, to_is_folder: bool, several: bool = False) -> Place:
    """Where the copy of `source` goes.

    Args:
        source: as it was named, with or without a slash behind it.
        to: as the place was named.
        is_folder: the source is one.
        to_is_folder: there is a folder of that name already.
        several: it is one of several sources.

    Raises:
        ValueError: there is no such copy; says why.
    """
    if "\0" in source or "\0" in to:
        raise ValueError("a path holds no NUL")
    slash = source.endswith("/") or posixpath.basename(source) in {".", ".."}
    if slash and not is_folder:
        raise ValueError(f"{source!r} is a file, and has a slash behind it")
    name = posixpath.basename(source.rstrip("/"))
    if not name and not slash:
        raise ValueError("an empty path names nothing to copy")
    bare = to.rstrip("/") or ("/" if to.startswith("/") else "")
    if is_folder and slash:
        return Place(bare or ".", bare)
    if several or inside(to) or (to_is_folder and not is_folder):
        return Place(posixpath.join(bare, name) if bare not in {"", "."} else name, bare)
    return Place(bare, bare if is_folder else posixpath.dirname(bare))


def inside(to: str) -> bool:
    """Does the place as it was named say that the copy goes into it, whatever it is?"""
    return to.endswith(("/", "/.", "/..")) or to in {"", ".", "..", "~"}

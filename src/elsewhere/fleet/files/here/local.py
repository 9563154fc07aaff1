"""This machine's side of a copy: which files are meant, and what is there."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator

from elsewhere.sansio.hosts.copies.tree import Entry, Kind, ancestors, staging

__all__ = ["entry_of", "expand", "kind_of", "look", "scan"]


def expand(source: str) -> list[str]:
    """What a source names: itself if it is there, or else what it matches as a pattern, sorted.

    Raises:
        FileNotFoundError: neither.
    """
    path = os.path.expanduser(source)
    if os.path.lexists(path):
        return [path]
    found = sorted(glob.glob(path)) if glob.has_magic(path) else []
    if not found:
        what = "matches nothing" if glob.has_magic(path) else "is not there"
        raise FileNotFoundError(f"{source!r} {what} here")
    return found


def entry_of(path: str, name: str, *, follow: bool = False) -> Entry:
    """One thing that is there; raises OSError if it is not."""
    return _entry(os.stat(path) if follow else os.lstat(path), path, name)


def _entry(found: os.stat_result, path: str, name: str) -> Entry:
    kind = kind_of(found.st_mode)
    target = os.readlink(path) if kind == "link" else ""
    return Entry(name, kind, stat.S_IMODE(found.st_mode), found.st_size, found.st_mtime_ns, target)


def kind_of(mode: int) -> Kind:
    """What a mode with its type bits says."""
    if stat.S_ISREG(mode):
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "other"


def scan(root: str, name: str = "") -> Iterator[tuple[Entry, str]]:
    """A folder and all that is in it, each folder before what it holds; beside each its path here.

    Args:
        root: the folder; a link to one is followed.
        name: of the folder in the copy.
    """
    yield entry_of(root, name, follow=True), root
    yield from _inside(root, name)


def _inside(folder: str, name: str) -> Iterator[tuple[Entry, str]]:
    begin = f"{name}/" if name else ""
    with os.scandir(folder) as items:
        found = sorted(items, key=lambda item: item.name)
    for item in found:
        if not name and staging(item.name) is not None:
            continue
        entry = _entry(item.stat(follow_symlinks=False), item.path, f"{begin}{item.name}")
        yield entry, item.path
        if entry.kind == "folder":
            yield from _inside(item.path, entry.path)


def look(base: str, wanted: Iterable[Entry], mirrored: Iterable[str]) -> dict[str, Entry]:
    """What is at the places of the copies, and in the folders that are mirrored, by path.

    Raises:
        NotADirectoryError: what the copies go into is no folder.
    """
    above = base
    while not os.path.lexists(above):
        above = os.path.dirname(above.rstrip("/")) or "."
    if not os.path.isdir(above):
        raise NotADirectoryError(f"{above} is not a folder, and the copy goes into it")
    found: dict[str, Entry] = {}
    absent: set[str] = set()  # or no folder: nothing in it is asked for
    for entry in wanted:
        if any(above in absent for above in ancestors(entry.path)):
            continue
        try:
            there = entry_of(os.path.join(base, entry.path), entry.path, follow=not entry.path)
        except (FileNotFoundError, NotADirectoryError):
            absent.add(entry.path)
            continue
        found[entry.path] = there
        if there.kind != "folder":
            absent.add(entry.path)
    for root in mirrored:
        there_too = found.get(root)
        if there_too is not None and there_too.kind == "folder":
            for inner, _ in scan(os.path.join(base, root), root):
                found[inner.path] = inner
    return found

"""What must be done so that a place holds a copy: decided from two lists, before anything is sent.

Rule: nothing but what was asked for is ever removed. A folder that is in the way of a file goes only with
``delete=True``; a file or a link that is in the way of a folder goes, as in rsync, because the folder was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from elsewhere.sansio.hosts.copies.tree import Entry, parent, within

__all__ = ["Plan", "doubtful", "plan"]


@dataclass
class Plan:
    """See the module.

    Attributes:
        folders: to be made, each before what is in it.
        send: files and links that are sent.
        modes: what is there already, and only has another mode.
        clear: what is in the way, and is removed before something takes its place.
        delete: what is not in the source, and is removed after all else.
        skipped: files and links that are there already.
    """

    folders: list[Entry] = field(default_factory=list)
    send: list[Entry] = field(default_factory=list)
    modes: list[Entry] = field(default_factory=list)
    clear: list[str] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    skipped: int = 0

    @property
    def nothing(self) -> bool:
        """Is there nothing to do?"""
        return not (self.folders or self.send or self.modes or self.clear or self.delete)

    @property
    def size(self) -> int:
        """Bytes of files that are sent."""
        return sum(entry.size for entry in self.send if entry.kind == "file")


def plan(
    source: Iterable[Entry],
    there: Mapping[str, Entry],
    *,
    mirrored: Collection[str] = (),
    same: Callable[[Entry, Entry], bool] | None = None,
) -> Plan:
    """Compare.

    Args:
        source: what is to be there, each folder before what is in it.
        there: what is there, by path; it may know more than the source's paths.
        mirrored: folders in which nothing else may be.
        same: does a file there hold what the source does? By size and time, if None.

    Raises:
        ValueError: a folder is in the way of a file, and nothing else may be removed there.
    """
    found, new, wanted = Plan(), set[str](), set[str]()
    for entry in source:
        path = entry.path
        if entry.kind == "other":
            continue
        wanted.add(path)
        old = None if parent(path) in new and path else there.get(path)
        if entry.kind == "folder":
            if old is not None and old.kind == "folder":
                if path and old.mode != entry.mode:  # /tmp stays /tmp, whatever is copied into it
                    found.modes.append(entry)
                continue
            new.add(path)
            found.folders.append(entry)
            if old is not None:
                found.clear.append(path)
            continue
        _one(found, entry, old, mirrored, same or unchanged)
    if mirrored:
        _surplus(found, there, wanted, new, mirrored)
    return found


def _one(
    found: Plan, entry: Entry, old: Entry | None, mirrored: Collection[str], same: Callable[[Entry, Entry], bool]
) -> None:
    """A file or a link."""
    if old is not None and old.kind == "folder":
        if not any(within(entry.path, root) for root in mirrored):
            raise ValueError(f"{entry.path} is a folder there, and is none here: it is not removed without delete=True")
        found.clear.append(entry.path)
    elif old is not None and old.kind == entry.kind:
        if entry.kind == "link" and old.target == entry.target:
            found.skipped += 1
            return
        if entry.kind == "file" and same(entry, old):
            found.skipped += 1
            if old.mode != entry.mode:
                found.modes.append(entry)
            return
    found.send.append(entry)


def unchanged(new: Entry, old: Entry) -> bool:
    """By size and time; where one side knows whole seconds only, by these, and else by what most file systems know."""
    if new.size != old.size:
        return False
    if new.mtime % 10**9 and old.mtime % 10**9:
        return new.mtime // 1000 == old.mtime // 1000
    return new.mtime // 10**9 == old.mtime // 10**9


def doubtful(source: Iterable[Entry], there: Mapping[str, Entry]) -> list[str]:
    """Files whose contents must be compared to know whether they are the same: they are as large."""
    return [
        entry.path
        for entry in source
        if entry.kind == "file"
        and (old := there.get(entry.path)) is not None
        and old.kind == "file"
        and old.size == entry.size
    ]


def _surplus(
    found: Plan, there: Mapping[str, Entry], wanted: set[str], new: set[str], mirrored: Collection[str]
) -> None:
    """What is there and not wanted; of a folder and what is in it, the folder."""
    gone = set(found.clear)
    for path in sorted(there):
        if not path or path in wanted or not any(within(path, root) and path != root for root in mirrored):
            continue
        above = parent(path)
        if above in gone or above in new:
            gone.add(path)
        else:
            gone.add(path)
            found.delete.append(path)

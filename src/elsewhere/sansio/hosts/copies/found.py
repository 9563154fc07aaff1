"""What a host says that it has, of what it was asked for: checked, and where the copies go."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import NamedTuple

from elsewhere.errors import ProtocolError
from elsewhere.sansio.hosts.copies.listing import entries, sections
from elsewhere.sansio.hosts.copies.tree import Entry, parent, safe
from elsewhere.sansio.hosts.slashes import place

__all__ = ["Found", "Part", "found", "heard"]


class Found(NamedTuple):
    """See the module.

    Attributes:
        base: the folder here that everything goes into; "" for the current one.
        entries: by path in it, each folder before what is in it.
        names: of the files on the host, by path in `base`.
        roots: paths of the folders that were asked for.
    """

    base: str
    entries: dict[str, Entry]
    names: dict[str, str]
    roots: tuple[str, ...]


class Part(NamedTuple):
    """What is said of one source, or of one match of a pattern.

    Attributes:
        state: ``"folder"``, ``"file"`` (or a link), ``"none"`` if it is not there, ``"trouble"`` if it cannot be read.
        number: of the source.
        path: its own.
        entries: it, or what is in it.
    """

    state: str
    number: int
    path: str
    entries: Sequence[Entry]


def heard(data: bytes, nonce: str, sources: Sequence[str]) -> list[Part]:
    """Understand a get's listing.

    Args:
        data: the whole of it.
        nonce: that begins its words.
        sources: what was asked for.

    Raises:
        ProtocolError: it is none.
    """
    parts: list[Part] = []
    for words, told in sections(data, nonce)[:-1]:
        try:
            index = range(len(sources))[int(words[1])]
            parts.append(Part(words[0], index, words[2], entries(told)))
        except (ValueError, IndexError):
            raise ProtocolError(f"the far side speaks of a source that is none: {words!r:.200}") from None
    return parts


def found(
    parts: Sequence[Part],
    sources: Sequence[str],
    to: str,
    *,
    to_is_folder: bool,
    mode: int | None = None,
    delete: bool = False,
) -> Found:
    """Where the copies go.

    Args:
        parts: what is there.
        sources: what was asked for.
        to: the place here, as it was named.
        to_is_folder: there is a folder of that name.
        mode: of files, instead of their own.
        delete: folders are mirrored, so that there must be one.

    Raises:
        FileNotFoundError: sources are not there; names all of them.
        ValueError: a source cannot be copied so, or two would be the same copy.
        ProtocolError: it names files outside of what was asked for.
    """
    missing = [sources[part.number] for part in parts if part.state == "none"]
    if missing:
        raise FileNotFoundError(f"there is no {', no '.join(missing)}")
    closed = [part.path for part in parts if part.state == "trouble"]
    if closed:
        raise ValueError(f"{', '.join(closed)} may not be read")
    answer = Found("", {}, {}, ())
    roots: list[str] = []
    for part in parts:
        is_folder = part.state == "folder"
        name = _named(part, sources)
        there = place(name, to, is_folder=is_folder, to_is_folder=to_is_folder, several=len(parts) > 1)
        answer = answer._replace(base=there.folders)
        if is_folder:
            roots.append(there.name)
        _take(answer, part, there.name, is_folder, mode)
    _whole(answer)
    if delete and not roots:
        raise ValueError("delete=True removes what is not in a folder that is copied, and no source is a folder")
    return answer._replace(roots=tuple(roots))


def _named(part: Part, sources: Sequence[str]) -> str:
    """The source under the name that its copy may get: a pattern's match and a home are the far side's to tell."""
    source = sources[part.number]
    slash = source.endswith("/") or posixpath.basename(source) in {".", ".."}
    if slash:
        return "./"
    name = posixpath.basename(part.path)
    if not safe(name):
        raise ProtocolError(f"the far side names a file that is none: {part.path!r:.200}")
    return name


def _take(answer: Found, part: Part, root: str, is_folder: bool, mode: int | None) -> None:
    where = part.path.rstrip("/") if is_folder else posixpath.dirname(part.path)
    for entry in part.entries:
        if not is_folder and "/" in entry.path:
            raise ProtocolError(f"the far side names a file that was not asked for: {entry.path!r:.200}")
        path = root if not is_folder else f"{root}/{entry.path}".strip("/") if entry.path else root
        if not is_folder and entry.kind == "other":
            raise ValueError(f"{part.path} is neither a file nor a folder nor a link")
        before = answer.entries.get(path)
        if before is not None and not before.kind == entry.kind == "folder":
            raise ValueError(f"two sources would both become {path!r}")
        answer.entries[path] = entry._replace(path=path, mode=_mode(entry, mode))
        answer.names[path] = f"{where}/{entry.path}" if is_folder or where not in {"", "/"} else part.path


def _mode(entry: Entry, mode: int | None) -> int:
    """Never more than permissions: a host does not decide who runs a file as somebody else here."""
    if mode is None or entry.kind == "link":
        return entry.mode & 0o777
    return mode | (mode & 0o444) >> 2 if entry.kind == "folder" else mode


def _whole(answer: Found) -> None:
    """Each is in a folder that is a folder: a link is never gone through."""
    for path in answer.entries:
        above = parent(path)
        if above and answer.entries.get(above, Entry("", "other")).kind != "folder":
            raise ProtocolError(f"the far side names a file in what is no folder: {path!r:.200}")

"""From what a user says of a copy to a `Put` or a `Get`, checked: what is wrong is said before anybody connects."""

from __future__ import annotations

import io
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

from elsewhere.call import seconds_of
from elsewhere.fleet.commands.around import Layer, layers
from elsewhere.fleet.commands.command import Command
from elsewhere.fleet.files.here.local import entry_of, expand, scan
from elsewhere.fleet.naming.password import Password, password_of
from elsewhere.sansio.hosts.copies.tree import Entry
from elsewhere.sansio.hosts.slashes import inside, place
from elsewhere.sansio.hosts.sudo import account

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Collected", "Get", "Payload", "Put", "prepare_get", "prepare_put", "with_old_modes"]

Payload = str | bytes | int  # the path of a file, its bytes, or an open descriptor
SPOOLED = 8 << 20  # bytes of a file-like object that are kept in memory
PIECE = 1 << 20


class Collected(NamedTuple):
    """What is to be copied, and where to.

    Attributes:
        base: the folder that everything goes into.
        entries: by path in it, each folder before what is in it.
        payloads: of the files, by path.
        roots: paths of the folders that were named.
        lone: of one file that may get another name, the place as it was named and the file's own name ("" if it has
            none); else None.
        moded: they have a mode of their own; if not, that of a file that is there stays.
    """

    base: str
    entries: dict[str, Entry]
    payloads: dict[str, Payload]
    roots: tuple[str, ...]
    lone: tuple[str, str] | None
    moded: bool = True


@dataclass(frozen=True, kw_only=True)
class _Options:
    mode: int | None = None
    checksum: bool = False
    delete: bool = False
    dry_run: bool = False
    sudo: bool | str = False
    password: Password | None = field(default=None, repr=False)
    timeout: float | None = None
    around: tuple[Layer, ...] = ()

    def cwd(self, host: Host) -> str | None:
        """The folder there in which relative paths begin; None for the home."""
        return Command(command="true", around=self.around).on(host).cwd


@dataclass(frozen=True, kw_only=True)
class Put(_Options):
    """Files to a host; see `Host.put`. A context manager: what it has open is closed at the end of the block.

    Attributes:
        sources: paths here, each perhaps with a slash behind it.
        data: instead of them, bytes, or a descriptor of a file of them.
        to: the place there.
    """

    sources: tuple[str, ...]
    to: str
    data: bytes | int | None = field(default=None, repr=False)
    _held: list[IO[bytes]] = field(default_factory=list, repr=False)
    _found: list[Collected] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def collect(self) -> Collected:
        """Look at the sources; once, for however many hosts.

        Raises:
            OSError: one cannot be read.
            ValueError: two of them would be the same copy.
        """
        with self._lock:
            if not self._found:
                self._found.append(self._collect())
            return self._found[0]

    def _collect(self) -> Collected:
        if self.data is not None:
            there = place("data", self.to, is_folder=False, to_is_folder=False)
            size = len(self.data) if isinstance(self.data, bytes) else os.fstat(self.data).st_size
            mode = 0o644 if self.mode is None else self.mode
            entry = Entry(there.name, "file", mode, size, time.time_ns())
            payloads: dict[str, Payload] = {there.name: self.data}
            return Collected(there.folders, {there.name: entry}, payloads, (), (self.to, ""), self.mode is not None)
        entries: dict[str, Entry] = {}
        paths: dict[str, Payload] = {}
        roots: list[str] = []
        several = len(self.sources) > 1
        base, lone = "", None
        for source in self.sources:
            is_folder = _is_folder(source)
            there = place(source, self.to, is_folder=is_folder, to_is_folder=False, several=several)
            base = there.folders
            if is_folder:
                roots.append(there.name)
            elif not several and not inside(self.to):
                lone = (self.to, os.path.basename(source))
            found = scan(source, there.name) if is_folder else [(entry_of(source, there.name), source)]
            for entry, path in found:
                _add(entries, self._moded(entry), source)
                paths[entry.path] = path
        return Collected(base, entries, paths, tuple(roots), lone)

    def _moded(self, entry: Entry) -> Entry:
        if self.mode is None or entry.kind == "link":
            return entry
        mode = self.mode | (self.mode & 0o444) >> 2 if entry.kind == "folder" else self.mode
        return entry._replace(mode=mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what it has open."""
        for file in self._held:
            file.close()


@dataclass(frozen=True, kw_only=True)
class Get(_Options):
    """Files from a host; see `Host.get`.

    Attributes:
        sources: paths or patterns there, each perhaps with a slash behind it.
        to: the place here.
        sink: instead of it, what is written to.
    """

    sources: tuple[str, ...]
    to: str
    sink: Any = None

    def of(self, name: str) -> Get:
        """The same, in a folder of the place with that name: ``LOCAL/HOST/``, for several hosts."""
        return replace(self, to=os.path.join(self.to, name.replace("/", "_"), ""))


def with_old_modes(entries: dict[str, Entry], there: Mapping[str, Entry]) -> dict[str, Entry]:
    """Bytes have no mode of their own: they keep that of the file that they replace."""
    old = {path: there[path].mode for path in entries if path in there and there[path].kind == "file"}
    return {path: entry._replace(mode=old.get(path, entry.mode)) for path, entry in entries.items()}


def prepare_put(sources: Any, to: Any, **options: Any) -> Put:
    """See `Host.put`.

    Raises:
        TypeError, ValueError: an argument is wrong.
        FileNotFoundError: sources are not there; names all of them.
        PermissionError: they cannot be read.
    """
    common = _common(**options)
    place_there = _path(to, "to")
    if isinstance(sources, bytes | bytearray | memoryview) or callable(getattr(sources, "read", None)):
        if common["delete"]:
            raise ValueError("delete=True removes what is not in a folder that is copied, and this is no folder")
        if not place_there or place_there.endswith("/"):
            raise ValueError(f"what has no name needs the name of a file to become, not {place_there!r}")
        held: list[IO[bytes]] = []
        return Put(sources=(), to=place_there, data=_data(sources, held), _held=held, **common)
    named = [_path(source, "a source") for source in _several(sources)]
    found: list[str] = []
    missing: list[str] = []
    for source in named:
        try:
            paths = expand(source)
        except FileNotFoundError as error:
            missing.append(str(error))
        else:
            found += [path + "/" if source.endswith("/") and not path.endswith("/") else path for path in paths]
    if missing:
        raise FileNotFoundError("; ".join(missing))
    for source in found:
        is_folder = _is_folder(source)
        place(source, place_there, is_folder=is_folder, to_is_folder=False)
        if not os.path.islink(source) and not os.access(source, os.R_OK | os.X_OK if is_folder else os.R_OK):
            raise PermissionError(f"{source!r} may not be read here")
        if entry_of(source, "x", follow=is_folder).kind == "other":
            raise ValueError(f"{source!r} is neither a file nor a folder nor a link")
    if common["delete"] and not any(map(_is_folder, found)):
        raise ValueError("delete=True removes what is not in a folder that is copied, and no source is a folder")
    return Put(sources=tuple(found), to=place_there, **common)


def prepare_get(sources: Any, to: Any = "", **options: Any) -> Get:
    """See `Host.get`; raises as `prepare_put`, but for what is not there: that is on the far side."""
    common = _common(**options)
    named = tuple(_path(source, "a source") for source in _several(sources))
    if any(not source or "\0" in source for source in named):
        raise ValueError("a source is the path of a file or of a folder, not an empty text")
    if callable(getattr(to, "write", None)):
        if isinstance(to, io.TextIOBase):
            raise TypeError("a file that takes text was given, and files are bytes: open it with 'wb'")
        if len(named) != 1 or named[0].endswith("/"):
            raise ValueError("one file can be written to a file-like object, not several, and no folder")
        if common["delete"] or common["mode"] is not None:
            raise ValueError("delete= and mode= are for copies that are files")
        return Get(sources=named, to="", sink=to, **common)
    return Get(sources=named, to=os.path.expanduser(_path(to, "to")), **common)


def _common(
    *,
    mode: int | None = None,
    checksum: bool = False,
    delete: bool = False,
    dry_run: bool = False,
    sudo: bool | str = False,
    password: Any = None,
    sudo_password_file: Any = None,
    timeout: float | None = None,
) -> dict[str, Any]:
    if mode is not None:
        if isinstance(mode, bool) or not isinstance(mode, int):
            raise TypeError(f"mode is a number such as 0o644, not {mode!r}")
        if not 0 <= mode <= 0o7777:
            raise ValueError(f"mode is a number from 0 to 0o7777, not {mode:#o}")
    timeout = seconds_of(timeout)
    for name, value in {"checksum": checksum, "delete": delete, "dry_run": dry_run}.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} is True or False, not {value!r}")
    found: Password | None = None
    if isinstance(sudo, str):
        account(sudo, "user")
    elif not isinstance(sudo, bool):
        raise TypeError(f"sudo is True, or the name of a user there, not {sudo!r}")
    if sudo:
        found = password_of(password, sudo_password_file)
    elif password is not None or sudo_password_file is not None:
        raise ValueError("a password is for sudo, which is not asked for: sudo=True does")
    return {
        "mode": mode, "checksum": checksum, "delete": delete, "dry_run": dry_run, "sudo": sudo, "password": found,
        "timeout": timeout, "around": layers(),
    }  # fmt: skip


def _several(sources: Any) -> Sequence[Any]:
    if isinstance(sources, str | os.PathLike):
        return [sources]
    if not isinstance(sources, Iterable) or isinstance(sources, bytes | bytearray):
        raise TypeError(
            f"sources are paths, a file-like object, or bytes, not a value of type {type(sources).__name__}"
        )
    found = list(sources)
    if not found:
        raise ValueError("no sources: there is nothing to copy")
    return found


def _path(value: Any, what: str) -> str:
    """As text, with the slash behind it that a `Path` has lost."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{what} is a path, not a value of type {type(value).__name__}")
    text = os.fspath(value)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if "\0" in text:
        raise ValueError("a path holds no NUL")
    return text


def _is_folder(source: str) -> bool:
    """A link is none, unless there is a slash behind it."""
    return os.path.isdir(source) and (source.endswith("/") or not os.path.islink(source))


def _data(source: Any, held: list[IO[bytes]]) -> bytes | int:
    """The bytes of a file-like object, which is read here and now, once."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    spool = tempfile.SpooledTemporaryFile(SPOOLED)  # noqa: SIM115 - closed by `Put`
    while piece := source.read(PIECE):
        if not isinstance(piece, bytes | bytearray | memoryview):
            spool.close()
            raise TypeError("a file-like object gives text, and files are bytes: open it with 'rb'")
        spool.write(piece)
    if spool.tell() <= SPOOLED:
        spool.seek(0)
        with spool:
            return spool.read()
    held.append(spool)
    spool.flush()
    return spool.fileno()


def _add(entries: dict[str, Entry], entry: Entry, source: str) -> None:
    before = entries.get(entry.path)
    if before is None:
        entries[entry.path] = entry
    elif not before.kind == entry.kind == "folder":
        raise ValueError(f"{source!r} and another source would both become {entry.path!r}")

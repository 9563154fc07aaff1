"""Copies on this machine: written into a folder of their own beside the place, and put there when all have come.

Rule: no name that a host gives is ever followed out of the place: each is looked up in the list that was checked, what
is written is new, in a folder that nobody else may enter, and a link at the place is replaced and not followed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from typing import Self

from elsewhere.fleet.files.outcome import TransferError
from elsewhere.sansio.hosts.copies.plan import Plan
from elsewhere.sansio.hosts.copies.tree import ancestors, staging
from elsewhere.sansio.hosts.copies.words import STAGED, tight, tops

__all__ = ["Stage"]


class Stage:
    """See the module; a context manager, which leaves nothing of it.

    Args:
        base: the folder that everything goes into.
        todo: what is to be done there.
        whole: `base` is a new folder, and is put there at once.
    """

    def __init__(self, base: str, todo: Plan, *, whole: bool) -> None:
        self._base = base
        self._todo = todo
        self._whole = whole
        above = os.path.dirname(base.rstrip("/")) or "."
        self._where = above if whole else base
        self._folder = ""
        self._made = {""}
        self._root = ""

    def __enter__(self) -> Self:
        os.makedirs(self._where, exist_ok=True)
        _sweep(self._where)
        self._folder = os.path.join(self._where, f".elsewhere-{os.getpid()}-{secrets.token_hex(8)}")
        os.mkdir(self._folder, 0o700)
        with open(os.path.join(self._folder, ".host"), "w") as file:
            file.write(socket.gethostname())
        self._root = os.path.join(self._folder, STAGED)
        os.mkdir(self._root, 0o700)
        for entry in self._todo.folders:
            self._needs(entry.path)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _remove(self._folder)

    def _needs(self, folder: str) -> None:
        if folder not in self._made:
            for above in reversed(list(ancestors(folder))):
                self._needs(above)
            os.mkdir(self._at(folder), 0o700)
            self._made.add(folder)

    def _at(self, path: str) -> str:
        return os.path.join(self._root, path) if path else self._root

    def opened(self, path: str) -> int:
        """A new file's descriptor."""
        self._needs(path.rpartition("/")[0])
        return os.open(self._at(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)

    def write(self, fd: int, path: str, data: bytes | memoryview) -> None:
        """All of it.

        Raises:
            OSError: it cannot be, as where the disk is full; names the place that the file was to have.
        """
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(fd, left) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._to(path)) from None

    def closed(self, fd: int, mode: int, mtime: int) -> None:
        """Its last bytes are written."""
        os.fchmod(fd, mode)
        os.utime(fd, ns=(mtime, mtime))

    def doubled(self, path: str, first: str) -> None:
        """It is the same file as one that has come before."""
        self._needs(path.rpartition("/")[0])
        shutil.copy2(self._at(first), self._at(path))

    def place(self) -> None:
        """Put all into its place.

        Raises:
            OSError: it cannot be; what was put there already is whole.
        """
        todo = self._todo
        for entry in todo.send:
            if entry.kind == "link":
                self._needs(entry.path.rpartition("/")[0])
                os.symlink(entry.target, self._at(entry.path))
                with contextlib.suppress(OSError, NotImplementedError):
                    os.utime(self._at(entry.path), ns=(entry.mtime, entry.mtime), follow_symlinks=False)
        moved = tops(todo)
        late = {entry.path for entry in moved if entry.kind == "folder" and tight(entry)}
        for entry in reversed(todo.folders):
            os.utime(self._at(entry.path), ns=(entry.mtime, entry.mtime))
            os.chmod(self._at(entry.path), entry.mode | (0o700 if entry.path in late else 0))
        if self._whole:
            self._place_whole(late)
            return
        for path in todo.clear:
            _remove(self._to(path))
        for entry in moved:
            os.rename(self._at(entry.path), self._to(entry.path))
        for entry in todo.modes + [entry for entry in moved if entry.path in late]:
            os.chmod(self._to(entry.path), entry.mode)
        for path in todo.delete:
            _remove(self._to(path))

    def _place_whole(self, late: set[str]) -> None:
        base = self._base.rstrip("/")
        if os.path.lexists(base):
            raise TransferError(f"{base}: somebody else has made it meanwhile")
        os.rename(self._root, base)
        if late:
            os.chmod(base, self._todo.folders[0].mode)

    def _to(self, path: str) -> str:
        return os.path.join(self._base, path)


def _remove(path: str) -> None:
    """A file, a link, or a folder with all that is in it; a link is not followed."""
    if not os.path.isdir(path) or os.path.islink(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:  # folders that nobody may write in
        for folder, _, _ in os.walk(path):
            with contextlib.suppress(OSError):
                os.chmod(folder, 0o700)
        shutil.rmtree(path)


def _sweep(where: str) -> None:
    """Remove what processes that were killed have left there."""
    for name in _leftovers(where):
        with contextlib.suppress(OSError):
            path = os.path.join(where, name)
            with open(os.path.join(path, ".host")) as file:
                if file.read().strip() == socket.gethostname():
                    _remove(path)


def _leftovers(where: str) -> Iterator[str]:
    for name in os.listdir(where):
        pid = staging(name)
        if pid is not None:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                yield name
            except OSError:
                continue

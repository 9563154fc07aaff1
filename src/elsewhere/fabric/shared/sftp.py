"""Files of a host one by one, under the names that paramiko's ``SFTPClient`` has, over the host's own connection.

Task files use those names, and so do the shims. Whole folders are `Host.put`'s work.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from elsewhere.fleet.below import Files

if TYPE_CHECKING:
    from asyncssh import SFTPClient

    from elsewhere.fleet import Host

__all__ = ["Attributes", "Sftp"]

PIECE = 1 << 20  # bytes that are read from a file-like object at once


class Attributes:
    """What a file is.

    Attributes:
        st_mode, st_size, st_uid, st_gid, st_mtime, st_atime: as `os.stat_result` has them; None where it was not told.
        filename: of one in a listing.
    """

    def __init__(self, found: Any, filename: str = "") -> None:
        kind = {1: stat.S_IFREG, 2: stat.S_IFDIR, 3: stat.S_IFLNK}.get(found.type, 0)
        permissions = found.permissions
        self.st_mode = None if permissions is None else permissions | (0 if stat.S_IFMT(permissions) else kind)
        self.st_size, self.st_uid, self.st_gid = found.size, found.uid, found.gid
        self.st_mtime = None if found.mtime is None else int(found.mtime)
        self.st_atime = None if found.atime is None else int(found.atime)
        self.filename = filename


class Sftp:
    """See the module. Also a context manager, which closes it.

    Args:
        host: where.

    Raises:
        ConnectError, Unauthorized: there is no way there.
        OSError: the host has no files to give; every method raises it where the host refuses something.
    """

    def __init__(self, host: Host) -> None:
        self._files = Files(host)
        self._folder: str | None = None

    def close(self) -> None:
        """It is not used any more."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _at(self, path: str) -> str:
        return path if self._folder is None or path.startswith("/") else f"{self._folder}/{path}"

    # ---- what is there -----------------------------------------------------------------------------------------------

    def normalize(self, path: str) -> str:
        """The path from the root, without links."""
        return str(self._files.do(path, lambda client: client.realpath(self._at(path))))

    def getcwd(self) -> str | None:
        """The folder that `chdir` has named, or None."""
        return self._folder

    def chdir(self, path: str | None = None) -> None:
        """Relative paths are within this folder from now on; within the home where it is None."""
        if path is not None and not self.isdir(path):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        self._folder = None if path is None else self.normalize(path)

    def stat(self, path: str) -> Attributes:
        return Attributes(self._files.do(path, lambda client: client.stat(self._at(path))))

    def lstat(self, path: str) -> Attributes:
        return Attributes(self._files.do(path, lambda client: client.lstat(self._at(path))))

    def isdir(self, path: str) -> bool:
        """Is it a folder, or a link to one?"""
        return self._is(path, self.stat, stat.S_ISDIR)

    def islink(self, path: str) -> bool:
        """Is it a symbolic link?"""
        return self._is(path, self.lstat, stat.S_ISLNK)

    @staticmethod
    def _is(path: str, look: Callable[[str], Attributes], kind: Callable[[int], bool]) -> bool:
        try:
            return kind(look(path).st_mode or 0)
        except OSError:
            return False

    def exists(self, path: str) -> bool:
        """Is anything there, be it a link to nothing?"""
        try:
            self.lstat(path)
        except OSError:
            return False
        return True

    def listdir(self, path: str = ".") -> list[str]:
        """Names in a folder, in the host's order."""
        return [found.filename for found in self.listdir_attr(path)]

    def listdir_attr(self, path: str = ".") -> list[Attributes]:
        """... with what each is."""
        found = self._files.do(path, lambda client: client.readdir(self._at(path)))
        return [
            Attributes(each.attrs, os.fsdecode(each.filename)) for each in found if each.filename not in {".", ".."}
        ]

    def readlink(self, path: str) -> str:
        return str(self._files.do(path, lambda client: client.readlink(self._at(path))))

    # ---- changes -----------------------------------------------------------------------------------------------------

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        self._files.do(path, lambda client: client.mkdir(self._at(path)))
        if mode != 0o777:
            self.chmod(path, mode)

    def rmdir(self, path: str) -> None:
        self._files.do(path, lambda client: client.rmdir(self._at(path)))

    def remove(self, path: str) -> None:
        self._files.do(path, lambda client: client.remove(self._at(path)))

    unlink = remove

    def rename(self, oldpath: str, newpath: str) -> None:
        self._files.do(oldpath, lambda client: client.rename(self._at(oldpath), self._at(newpath)))

    def posix_rename(self, oldpath: str, newpath: str) -> None:
        self._files.do(oldpath, lambda client: client.posix_rename(self._at(oldpath), self._at(newpath)))

    def symlink(self, source: str, dest: str) -> None:
        self._files.do(dest, lambda client: client.symlink(source, self._at(dest)))

    def chmod(self, path: str, mode: int) -> None:
        self._files.do(path, lambda client: client.chmod(self._at(path), mode))

    def chown(self, path: str, uid: int, gid: int) -> None:
        self._files.do(path, lambda client: client.chown(self._at(path), uid, gid))

    def utime(self, path: str, times: tuple[float, float] | None) -> None:
        self._files.do(path, lambda client: client.utime(self._at(path), times))

    def truncate(self, path: str, size: int) -> None:
        self._files.do(path, lambda client: client.truncate(self._at(path), size))

    # ---- contents ----------------------------------------------------------------------------------------------------

    def put(self, localpath: Any, remotepath: str, callback: Any = None, confirm: bool = True) -> Attributes:
        """Copy a file there.

        Args:
            localpath: here.
            remotepath: there; a file, not a folder to put it in.
            callback: is given bytes done and bytes in all.
            confirm: look at the size it has there afterwards.
        """
        with open(localpath, "rb") as file:
            return self.putfo(file, remotepath, os.fstat(file.fileno()).st_size, callback, confirm)

    def putfo(
        self, fl: Any, remotepath: str, file_size: int = 0, callback: Any = None, confirm: bool = True
    ) -> Attributes:
        """... of what a file-like object gives; see `put`."""
        sent = 0

        async def copy(client: SFTPClient) -> None:
            nonlocal sent
            async with await client.open(self._at(remotepath), "wb") as target:
                while data := fl.read(PIECE):
                    piece = data.encode() if isinstance(data, str) else bytes(data)
                    await target.write(piece)
                    sent += len(piece)
                    if callback is not None:
                        callback(sent, file_size)

        self._files.do(remotepath, copy)
        found = self.stat(remotepath)
        if confirm and found.st_size != sent:
            raise OSError(f"size mismatch in put!  {found.st_size} != {sent}")
        return found

    def get(self, remotepath: str, localpath: Any, callback: Any = None) -> None:
        """Copy a file here."""
        with open(localpath, "wb") as file:
            self.getfo(remotepath, file, callback)

    def getfo(self, remotepath: str, fl: Any, callback: Any = None) -> int:
        """... into a file-like object, of bytes or of text; gives the number of bytes."""
        size = self.stat(remotepath).st_size or 0
        done = 0

        async def copy(client: SFTPClient) -> None:
            nonlocal done
            async with await client.open(self._at(remotepath), "rb") as source:
                while data := await source.read(PIECE):
                    _write(fl, data)
                    done += len(data)
                    if callback is not None:
                        callback(done, size)

        self._files.do(remotepath, copy)
        return done


def _write(fl: Any, data: Any) -> None:
    try:
        fl.write(data)
    except TypeError:  # one of text, such as StringIO
        fl.write(data.decode("utf-8", "surrogateescape"))

"""Single files to a host, and from it."""

from __future__ import annotations

import os
import posixpath
import stat
from pathlib import Path
from typing import Any

__all__ = ["Result", "Transfer"]


class Result:
    """A copy that was made.

    Attributes:
        local, remote: its two ends; whole paths, or the file-like object.
        orig_local, orig_remote: as they were given.
        connection: where.
    """

    def __init__(self, local: Any, orig_local: Any, remote: Any, orig_remote: Any, connection: Any) -> None:
        self.local, self.orig_local = local, orig_local
        self.remote, self.orig_remote = remote, orig_remote
        self.connection = connection


class Transfer:
    """Copies over one connection.

    Args:
        connection: a `Connection`.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    @property
    def sftp(self) -> Any:
        return self.connection.sftp()

    def is_remote_dir(self, path: str) -> bool:
        """Is it a folder there?"""
        return bool(self.sftp.isdir(path))

    def _whole(self, path: str) -> str:
        return posixpath.join(self.sftp.getcwd() or self.sftp.normalize("."), path)

    def get(self, remote: str, local: Any = None, preserve_mode: bool = True, callback: Any = None) -> Result:
        """Copy a file here.

        Args:
            remote: a path there; a relative one is within the home.
            local: a path here, in which ``{host} {user} {port} {dirname} {basename}`` are filled in and whose folders
                are made, or a file-like object; the file's own name in the current folder by default.
            preserve_mode: its mode is kept.
            callback: is given bytes done and bytes in all.

        Raises:
            ValueError: no file is named.
            OSError: it cannot be read there, or be written here.
        """
        if not remote:
            raise ValueError("Remote path must not be empty!")
        given = (local, remote)
        remote = self._whole(remote)
        if callable(getattr(local, "write", None)):
            self.sftp.getfo(remote, local, callback)
        else:
            local = self._place(local or posixpath.basename(remote), remote)
            self.sftp.get(remote, local, callback)
            if preserve_mode:
                os.chmod(local, stat.S_IMODE(self.sftp.stat(remote).st_mode))
        return Result(local, given[0], remote, given[1], self.connection)

    def _place(self, local: Any, remote: str) -> str:
        """The whole path here; its folder is there afterwards."""
        connection, name = self.connection, posixpath.basename(remote)
        text = str(local).format(
            host=connection.host,
            user=connection.user,
            port=connection.port,
            dirname=posixpath.dirname(remote),
            basename=name,
        )
        if text.endswith(os.sep):
            text = os.path.join(text, name)
        path = os.path.abspath(text)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return path

    def put(self, local: Any, remote: Any = None, preserve_mode: bool = True, callback: Any = None) -> Result:
        """Copy a file there; a folder too, with all that is in it.

        Args:
            local: a path here, or a file-like object.
            remote: a path there; a relative one is within the home, which is the default.
            preserve_mode: its mode is kept.
            callback: is given bytes done and bytes in all.

        Raises:
            ValueError: no file is named, or a file-like object without a name has only a folder to go to.
            OSError: it cannot be read here, or be written there.
        """
        if not local:
            raise ValueError("Local path must not be empty!")
        given = (local, remote)
        is_object = callable(getattr(local, "write", None))
        if not is_object and os.path.isdir(local):
            return self._folder(local, remote)
        remote = self._whole(self._target(local, remote, is_object))
        if is_object:
            before = local.tell()
            local.seek(0)
            try:
                self.sftp.putfo(local, remote, callback=callback)
            finally:
                local.seek(before)
        else:
            local = os.path.abspath(local)
            self.sftp.put(local, remote, callback)
            if preserve_mode:
                self.sftp.chmod(remote, stat.S_IMODE(os.stat(local).st_mode))
        return Result(local, given[0], remote, given[1], self.connection)

    def _target(self, local: Any, remote: Any, is_object: bool) -> str:
        name = getattr(local, "name", None) if is_object else os.path.basename(local)
        if not remote:
            if is_object:
                raise ValueError("Must give non-empty remote path when local is a file-like object!")
            return str(name)
        if not self.is_remote_dir(remote):
            return str(remote)
        if not name:
            raise ValueError("Can't put a file-like-object into a directory unless it has a non-empty .name attribute!")
        return posixpath.join(remote, str(name))

    def _folder(self, local: Any, remote: Any) -> Result:
        """What the original cannot do: `Host.put` does."""
        source = os.path.abspath(local)
        target = self._whole(remote or "")
        inside = not remote or self.is_remote_dir(remote)
        whole = posixpath.join(target, os.path.basename(source)) if inside else target
        self.connection.reached().put(f"{source}/", whole)
        return Result(source, local, whole, remote, self.connection)

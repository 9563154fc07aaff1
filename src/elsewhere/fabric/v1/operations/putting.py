"""One file or folder to a host."""

from __future__ import annotations

import contextlib
import os
import posixpath
import uuid
from collections.abc import Iterator
from typing import Any

from elsewhere.fabric.shared.sftp import Sftp
from elsewhere.fabric.v1.context_managers import hide, settings
from elsewhere.fabric.v1.state import env, output

__all__ = ["Putting", "as_root", "shown_local"]

MODE = 0o7777


def shown_local(path: Any, is_path: bool) -> str:
    """A path here, or what a file-like object is called, for what is printed."""
    return str(path) if is_path else str(getattr(path, "name", "<file obj>"))


def as_root(command: str) -> Any:
    """A command under sudo that is not shown, in no folder: paths are whole already."""
    from elsewhere.fabric.v1.operations.commands import sudo

    with settings(hide("everything"), cwd=""):
        return sudo(command)


class Putting:
    """See `elsewhere.fabric.v1.operations.put` for what each means."""

    def __init__(self, files: Sftp, use_sudo: bool, mirror: bool, mode: Any, temp_dir: str) -> None:
        self._files = files
        self._sudo = use_sudo
        self._mirror = mirror
        self._mode = int(mode, 8) if isinstance(mode, str) else mode
        self._temp_dir = temp_dir

    def put(self, local: Any, remote: str, *, is_path: bool) -> list[str]:
        """The paths that were written."""
        if is_path and os.path.isdir(local):
            return list(self._folder(local, remote))
        return [self._file(local, remote, is_path)]

    def _folder(self, local: str, remote: str) -> Iterator[str]:
        above = os.path.dirname(local if os.path.basename(local) else os.path.dirname(local))
        for folder, folders, names in os.walk(local):
            place = folder.replace(above, "", 1).replace(os.sep, "/").lstrip("/")
            place = posixpath.join(remote, place)
            for each in (place, *(posixpath.join(place, name) for name in folders)):
                if not self._files.exists(each):
                    self._mkdir(each)
            for name in names:
                yield self._file(os.path.join(folder, name), posixpath.join(place, name), True)

    def _mkdir(self, path: str) -> None:
        if self._sudo:
            as_root(f'mkdir "{path}"')
        else:
            self._files.mkdir(path)

    def _file(self, local: Any, remote: str, is_path: bool) -> str:
        files = self._files
        if is_path and files.isdir(remote):
            remote = posixpath.join(remote, os.path.basename(local))
        if output.running:
            print(f"[{env.host_string}] put: {shown_local(local, is_path)} -> {remote}")
        # As root nothing can be written, so the file is written next to nothing else, then moved.
        written = posixpath.join(self._temp_dir, uuid.uuid4().hex) if self._sudo else remote
        found = files.put(local, written) if is_path else _rewound(files, local, written)
        mode = os.stat(local).st_mode if is_path and self._mirror else self._mode
        if mode is not None and (found.st_mode is None or mode & MODE != found.st_mode & MODE):
            self._chmod(written, mode & MODE)
        if self._sudo:
            with _removed_unless(written):
                as_root(f'mv "{written}" "{remote}"')
        return remote

    def _chmod(self, path: str, mode: int) -> None:
        if self._sudo:
            as_root(f'chmod {mode:o} "{path}"')
        else:
            self._files.chmod(path, mode)


@contextlib.contextmanager
def _removed_unless(path: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        as_root(f'rm -f "{path}"')
        raise


def _rewound(files: Sftp, local: Any, remote: str) -> Any:
    """All of a file-like object, which stands where it stood afterwards."""
    before = local.tell()
    local.seek(0)
    try:
        return files.putfo(local, remote)
    finally:
        local.seek(before)

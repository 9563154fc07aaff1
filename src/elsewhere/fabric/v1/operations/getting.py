"""One file or folder from a host."""

from __future__ import annotations

import os
import posixpath
import re
import uuid
from collections.abc import Iterator
from typing import Any

from elsewhere.fabric.shared.sftp import Sftp
from elsewhere.fabric.v1.operations.putting import as_root, shown_local
from elsewhere.fabric.v1.state import env, output
from elsewhere.fabric.v1.utils import warn

__all__ = ["Getting"]

_LONE = re.compile(r"%(?!\((?:host|basename|dirname|path)\)\w)")  # a percent sign that stands for itself


class Getting:
    """See `elsewhere.fabric.v1.operations.get` for what each means."""

    def __init__(self, files: Sftp, use_sudo: bool, temp_dir: str) -> None:
        self._files = files
        self._sudo = use_sudo
        self._temp_dir = temp_dir

    def get(self, remote: str, local: Any, *, is_path: bool) -> list[str]:
        """The paths that were written."""
        if self._files.isdir(remote):
            return list(self._folder(remote, local))
        found = self._file(remote, local, is_path, posixpath.basename(remote))
        return [found] if is_path else []

    def _folder(self, remote: str, local: str) -> Iterator[str]:
        above = posixpath.dirname(remote if posixpath.basename(remote) else posixpath.dirname(remote))
        whole = "%(path)s" in local or "%(dirname)s" in local
        for folder, names in self._walk(remote):
            place = folder.replace(above, "", 1).lstrip("/")
            for name in names:
                target = local if whole else os.path.join(local, place, name)
                yield self._file(posixpath.join(folder, name), target, True, posixpath.join(place, name))

    def _walk(self, top: str) -> Iterator[tuple[str, list[str]]]:
        try:
            names = self._files.listdir(top)
        except OSError:
            return
        folders = [name for name in names if self._files.isdir(posixpath.join(top, name))]
        yield top, [name for name in names if name not in folders]
        for name in folders:
            path = posixpath.join(top, name)
            if not self._files.islink(path):
                yield from self._walk(path)

    def _file(self, remote: str, local: Any, is_path: bool, relative: str) -> Any:
        if is_path:
            local = _named(local, relative)
        if output.running:
            print(f"[{env.host_string}] download: {shown_local(local, is_path)} <- {remote}")
        if is_path and os.path.exists(local):
            warn(f"Local file {local} already exists and is being overwritten.")
        if not self._sudo:
            self._copy(remote, local, is_path)
            return local
        copied = posixpath.join(self._temp_dir, uuid.uuid4().hex)
        try:
            as_root(f'cp -p "{remote}" "{copied}"')
            as_root(f'chown {env.user} "{copied}"')
            as_root(f'chmod 400 "{copied}"')
            self._copy(copied, local, is_path)
        finally:
            as_root(f'rm -f "{copied}"')
        return local

    def _copy(self, remote: str, local: Any, is_path: bool) -> None:
        if is_path:
            self._files.get(remote, local)
        else:
            local.seek(0)
            self._files.getfo(remote, local)


def _named(local: str, relative: str) -> str:
    """The path here with what it holds of the host and the file; its folder is there afterwards."""
    values = {
        "host": env.host_string.replace(":", "-"),
        "basename": os.path.basename(relative),
        "dirname": os.path.dirname(relative),
        "path": relative,
    }
    path = os.path.abspath(_LONE.sub("%%", local) % values)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return os.path.join(path, values["basename"]) if os.path.isdir(path) else path

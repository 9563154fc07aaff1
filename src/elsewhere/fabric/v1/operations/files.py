"""Files to the current host, and from it."""

from __future__ import annotations

import errno
import glob as globbing
import os
import posixpath
from fnmatch import filter as matching
from typing import Any

from elsewhere.fabric.shared.sftp import Sftp
from elsewhere.fabric.v1.network import needs_host, reached
from elsewhere.fabric.v1.operations.getting import Getting
from elsewhere.fabric.v1.operations.putting import Putting
from elsewhere.fabric.v1.operations.values import AttributeList
from elsewhere.fabric.v1.state import env
from elsewhere.fabric.v1.utils import apply_lcwd, error

__all__ = ["get", "put"]


@needs_host
def put(
    local_path: Any = None,
    remote_path: str | None = None,
    use_sudo: bool = False,
    mirror_local_mode: bool = False,
    mode: Any = None,
    use_glob: bool = True,
    temp_dir: str = "",
) -> AttributeList:
    """Copy files or folders to the current host.

    Args:
        local_path: a path or pattern here, or a file-like object; the current folder by default.
        remote_path: a file or folder there; the home by default. Relative ones are within `cd`'s, or the home.
        use_sudo: as root.
        mirror_local_mode: with the modes that files have here.
        mode: for all of them: a number, or a text of an octal one.
        use_glob: the path is a pattern.
        temp_dir: where files are first, with ``use_sudo``.

    Returns:
        The paths there; what was not copied is in its ``failed``.

    Raises:
        ValueError: nothing is there to be copied.
        SystemExit: something was not copied, unless that is only to be warned of.
    """
    local_path = local_path or os.getcwd()
    is_path = not callable(getattr(local_path, "read", None))
    with Sftp(reached(env.host_string)) as files:
        target = _remote(files, remote_path or files.normalize("."))
        names = [local_path]
        if is_path:
            local_path = apply_lcwd(os.path.expanduser(local_path), env)
            names = globbing.glob(local_path) if use_glob else [local_path] * os.path.exists(local_path)
            if not names:
                raise ValueError(f"'{local_path}' is not a valid local path or glob.")
            if len(names) != 1 and files.exists(target) and not files.isdir(target):
                raise ValueError(f"'{target}' is not a directory")
        putting = Putting(files, use_sudo, mirror_local_mode, mode, temp_dir)
        done, failed = AttributeList(), []
        for name in names:
            try:
                done += putting.put(name, target, is_path=is_path)
            except Exception as failure:  # noqa: BLE001 - whatever it is, the other files are copied
                failed.append(name if is_path else "<StringIO>")
                error(f"put() encountered an exception while uploading '{name}'", exception=failure)
    done.failed, done.succeeded = failed, not failed
    return done


@needs_host
def get(remote_path: str, local_path: Any = None, use_sudo: bool = False, temp_dir: str = "") -> AttributeList:
    """Copy files or folders from the current host.

    Args:
        remote_path: a path or pattern there. Relative ones are within `cd`'s, or the home.
        local_path: a path here, which may hold ``%(host)s %(path)s %(dirname)s %(basename)s``, or a file-like object.
            ``%(host)s/%(path)s`` by default.
        use_sudo: as root.
        temp_dir: where files are meanwhile, with ``use_sudo``.

    Returns:
        The paths here; what was not copied is in its ``failed``.

    Raises:
        SystemExit: something was not copied, unless that is only to be warned of.
    """
    local_path = local_path or "%(host)s/%(path)s"
    is_path = not callable(getattr(local_path, "write", None))
    done, failed = AttributeList(), []
    with Sftp(reached(env.host_string)) as files:
        if is_path:
            local_path = os.path.expanduser(apply_lcwd(local_path, env))
        path = _remote(files, remote_path, from_home=True)
        getting = Getting(files, use_sudo, temp_dir)
        try:
            names = _matching(files, path) if "*" in path or "?" in path else [path]
            if not names:
                raise OSError(errno.ENOENT, "No such file")
            if not is_path and (len(names) > 1 or files.isdir(names[0])):
                error(f"[{env.host_string}] {path} is a glob or directory, but local_path is a file object!")
            for path in names:
                done += getting.get(path, local_path, is_path=is_path)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is told as the original tells it
            failed.append(path)
            error(f"get() encountered an exception while downloading '{path}'", exception=failure)
    done.failed, done.succeeded = failed, not failed
    return done


def _remote(files: Sftp, path: str, from_home: bool = False) -> str:
    """A path there; from the root, but for one that is relative to the home, which SFTP takes as it is."""
    if path.startswith("~"):
        path = path.replace("~", files.normalize("."), 1)
    if posixpath.isabs(path):
        return path
    folder = (env.cwd or "").rstrip("/")
    folder = folder.replace("\\ ", " ")  # `cd` has escaped it for a shell
    if not folder:
        return posixpath.join(files.normalize("."), path) if from_home else path
    if folder.startswith("~"):
        folder = folder.replace("~", files.normalize("."), 1)
    return f"{folder}/{path}"


def _matching(files: Sftp, pattern: str) -> list[str]:
    folder, last = posixpath.split(pattern)
    names = [name for name in files.listdir(folder) if not name.startswith(".")]
    return [posixpath.join(folder, name) for name in matching(names, last)]

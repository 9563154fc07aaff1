"""A whole project to a host."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from elsewhere.fabric.v1.context_managers import cd
from elsewhere.fabric.v1.network import key_filenames, needs_host, normalize
from elsewhere.fabric.v1.operations import local, put, run, sudo
from elsewhere.fabric.v1.state import env, output

__all__ = ["rsync_project", "upload_project"]


@needs_host
def rsync_project(
    remote_dir: str,
    local_dir: str | None = None,
    exclude: Any = (),
    delete: bool = False,
    extra_opts: str = "",
    ssh_opts: str = "",
    capture: bool = False,
    upload: bool = True,
    default_opts: str = "-pthrvz",
) -> Any:
    """Copy a folder with rsync, in our shell.

    Args:
        remote_dir: there.
        local_dir: here; the current folder by default.
        exclude: a pattern or several.
        delete: what is not here is removed there.
        extra_opts, default_opts: for rsync.
        ssh_opts: for ssh.
        capture: see `local`, whose value this gives.
        upload: false copies from there.
    """
    user, host, port = normalize(env.host_string)
    patterns = [exclude] if isinstance(exclude, str) or not hasattr(exclude, "__iter__") else exclude
    excludes = "".join(' --exclude "{}"'.format(str(each).replace('"', '\\\\"')) for each in patterns)
    options = f"{'--delete' if delete else ''}{excludes} {default_opts} {extra_opts} {_rsh(host, port, ssh_opts)}"
    here = f"../{os.path.basename(os.getcwd())}" if local_dir is None else local_dir
    there = f"[{user}@{host}]" if host.count(":") > 1 else f"{user}@{host}"
    ends = f"{here} {there}:{remote_dir}" if upload else f"{there}:{remote_dir} {here}"
    command = f"rsync {options} {ends}"
    if output.running:
        print(f"[{env.host_string}] rsync_project: {command}")
    return local(command, capture=capture)


def _rsh(host: str, port: str, ssh_opts: str) -> str:
    """The option that names the way there."""
    keys = " ".join(f"-i {key}" for key in key_filenames())
    gateway = ""
    if env.gateway is not None:
        user, over, over_port = normalize(env.gateway)
        gateway = f'-A -o "ProxyCommand=ssh {keys} -p {over_port} {user}@{over} nc {host} {port}"'
    parts = [keys, "" if port == env.default_port else f"-p {port}", ssh_opts, gateway]
    return f"--rsh='ssh {' '.join(parts)}'" if any(parts) else ""


def upload_project(local_dir: str | None = None, remote_dir: str = "", use_sudo: bool = False) -> None:
    """Copy a folder as one archive.

    Args:
        local_dir: here; the current folder by default.
        remote_dir: there, which gets a folder of the same name; the home by default.
        use_sudo: as root.
    """
    runner = sudo if use_sudo else run
    folder, name = os.path.split((local_dir or os.getcwd()).rstrip(os.sep))
    archive = f"{name}.tar.gz"
    scratch = tempfile.mkdtemp()
    try:
        path = os.path.join(scratch, archive)
        local(f"tar -czf {path} -C {folder or '.'} {name}")
        put(path, os.path.join(remote_dir, archive), use_sudo=use_sudo)
        with cd(remote_dir):
            try:
                runner(f"tar -xzf {archive}")
            finally:
                runner(f"rm -f {archive}")
    finally:
        local(f"rm -rf {scratch}")

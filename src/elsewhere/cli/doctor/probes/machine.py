"""How much there is of what a machine has."""

from __future__ import annotations

import os
import shutil
import sys

from elsewhere.cli.doctor.finding import CORE, FAILS, NOTE, WORKS, Finding

__all__ = ["cores", "files", "machine", "memory", "shm"]

LITTLE = 256 << 20  # bytes of memory with which large values hardly fit
FEW = 1024  # descriptors that most systems begin with
SMALL = 64 << 20  # bytes of /dev/shm that a container has if nothing is said
SHM = "/dev/shm"


def machine() -> list[Finding]:
    """All of it."""
    found = [cores(), memory()]
    if sys.platform != "win32":
        found.append(files())
    if sys.platform == "linux":
        found.append(shm())
    return found


def cores(root: str = "/") -> Finding:
    """As many as workers are started.

    Args:
        root: where /proc and /sys are; another one for tests.
    """
    from elsewhere.runtime import cpus

    has = os.cpu_count() or 1
    try:
        usable = cpus.available()
    except ValueError as error:
        return Finding("cores", CORE, FAILS, str(error), "unset ELSEWHERE_CPUS, or set it to a whole number")
    quota = cpus.quota(root)
    says = f"{usable} of {has} may be used"
    if os.environ.get("ELSEWHERE_CPUS"):
        says += ", as ELSEWHERE_CPUS says"
    elif quota is not None:
        says += f", by a quota of {quota:g} (cgroup)"
    return Finding("cores", CORE, WORKS, says)


def memory(root: str = "/") -> Finding:
    """Of the machine and of this process's cgroup.

    Args:
        root: see `cores`.
    """
    from elsewhere.runtime.memory.headroom import Headroom

    room = Headroom(root)
    total, available = room.total(), room.available()
    if total is None or available is None:
        return Finding("memory", CORE, WORKS, "nothing says how much there is")
    says = f"{_size(available)} of {_size(total)} are free"
    if available < LITTLE:
        do = "send less at once, use fewer workers, or give the container more (docker run --memory)"
        return Finding("memory", CORE, NOTE, says, do)
    return Finding("memory", CORE, WORKS, says)


def files() -> Finding:
    """Descriptors: each connection, worker and host needs some."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return Finding("files", CORE, WORKS, "any number may be open at once")
    says = f"{soft:,} may be open at once"
    if soft < FEW:
        most = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
        do = f"ulimit -n {most}" if soft != hard else "let an administrator raise it (limits.conf, LimitNOFILE=)"
        return Finding("files", CORE, NOTE, f"only {says}: each connection and host needs some", do)
    return Finding("files", CORE, WORKS, says)


def shm(folder: str = SHM) -> Finding:
    """Not used by us, but by much that runs in workers."""
    whose = "elsewhere needs none, but multiprocessing's locks and shared_memory do"
    try:
        size = shutil.disk_usage(folder).total
        usable = os.access(folder, os.W_OK)
    except OSError:
        size, usable = 0, False
    if not usable:
        return Finding(folder, CORE, NOTE, f"cannot be written to: {whose}", f"mount -t tmpfs tmpfs {folder}")
    if size <= SMALL:
        do = f"mount -o remount,size=1g {folder}, or docker run --shm-size 1g"
        return Finding(folder, CORE, NOTE, f"holds {_size(size)} only: {whose}", do)
    return Finding(folder, CORE, WORKS, f"{_size(size)}")


def _size(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError

"""How many CPUs this process may keep busy: the smaller of its affinity and its cgroup's quota.

A container often sees every core of its host and may use two of them; ``os.cpu_count()`` and even the affinity then
start too many workers. Reading files is here; what they mean is in `quota`, which is given a root and can be tested.
Paths are strings: pathlib takes 6 ms to import, which a first pool would wait for.
"""

import math
import os
from collections.abc import Iterator

from elsewhere.runtime.launch import share

__all__ = ["available", "folders", "quota"]


def available() -> int:
    """At least 1; in a worker its share. What the user says is obeyed: ``ELSEWHERE_CPUS``, and ``PYTHON_CPU_COUNT`` and
    ``-X cpu_count`` where Python has them (3.13).

    Raises:
        ValueError: ``ELSEWHERE_CPUS`` is no whole number from 1 up.
    """
    asked = share.asked() or _asked()
    if asked is not None:
        return asked
    cpus = _affinity()
    limit = quota("/")
    return cpus if limit is None else max(1, min(cpus, math.ceil(limit)))


def quota(root: str | os.PathLike[str]) -> float | None:
    """The CPU quota in cores of this process's cgroup, or None: the smallest on the way up to the root, v1 and v2."""
    limits = []
    for folder in folders(root, "cpu"):
        limit = _v2(_text(f"{folder}/cpu.max"))
        if limit is None:
            limit = _v1(_text(f"{folder}/cpu.cfs_quota_us"), _text(f"{folder}/cpu.cfs_period_us"))
        if limit is not None:
            limits.append(limit)
    return min(limits, default=None)


def folders(root: str | os.PathLike[str], controller: str) -> list[str]:
    """Where limits of this process may be written, as files of its cgroups: v1's `controller`, and v2."""
    top = os.fspath(root).rstrip("/")
    found = _cgroups(_text(f"{top}/proc/self/cgroup"), _text(f"{top}/proc/self/mountinfo"), controller)
    return [f"{top}/{path.lstrip('/')}" for path in found]


def _asked() -> int | None:
    """What the user told Python itself, if anything: `os.process_cpu_count` then differs from what it would find."""
    counted = getattr(os, "process_cpu_count", None)
    if counted is None:
        return None
    found = counted()
    return found if found is not None and found != _affinity() else None


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _cgroups(cgroup: str, mountinfo: str, controller: str) -> Iterator[str]:
    """Every folder that may limit this process: from its own cgroup up to where the hierarchy is mounted.

    ``cgroup`` has lines such as ``0::/user.slice`` (v2) and ``4:cpu,cpuacct:/docker/1f`` (v1). A container sees its own
    cgroup mounted as the root of the hierarchy, though the path names it from the host's root: hence the mount's root.
    """
    mounts = list(_mounts(mountinfo, controller))
    for line in cgroup.splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        for version, mount_root, mount_point in mounts:
            wanted = version == "v2" if not controllers else version == "v1" and controller in controllers.split(",")
            if wanted:
                yield from _up(path, mount_root, mount_point)


def _mounts(mountinfo: str, controller: str) -> Iterator[tuple[str, str, str]]:
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 5 or not kind:
            continue
        if kind[0] == "cgroup2":
            yield "v2", fields[3], fields[4]
        elif kind[0] == "cgroup" and controller in kind[-1].split(","):
            yield "v1", fields[3], fields[4]


def _up(path: str, mount_root: str, mount_point: str) -> Iterator[str]:
    parts, above = _parts(path), _parts(mount_root)
    parts = [part for part in parts[len(above) :] if part != ".."] if parts[: len(above)] == above else []
    for count in range(len(parts), -1, -1):
        yield "/".join([mount_point.rstrip("/"), *parts[:count]])


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _v2(text: str) -> float | None:
    """``max 100000`` or ``150000 100000``: microseconds in each period."""
    fields = text.split()
    return _ratio(*fields) if len(fields) == 2 else None


def _v1(spent: str, period: str) -> float | None:
    """-1 is no limit."""
    return _ratio(spent.strip(), period.strip())


def _ratio(spent: str, period: str) -> float | None:
    if not spent.isdigit() or not period.isdigit():
        return None
    return int(spent) / int(period) if int(spent) and int(period) else None


def _text(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""

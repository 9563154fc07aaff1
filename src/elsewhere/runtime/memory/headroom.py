"""How much memory may still be taken: the smaller of what the machine and what this process's cgroup has left.

Rule: looked at before memory is taken: afterwards there is nobody to tell, as a cgroup that is over its limit kills.
"""

from __future__ import annotations

import contextlib
import os

from elsewhere.runtime.cpus import folders

__all__ = ["Headroom", "require", "total"]

RESERVE = 64 << 20  # bytes that are left for everything else; a twentieth of the memory where that is less
LIMITS = (  # limit, usage, and the line of memory.stat that says what would be given back: cgroup v2 and v1
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


class Headroom:
    """Reads it from the files under a root.

    Args:
        root: where /proc and /sys are; another one for tests.
    """

    def __init__(self, root: str | os.PathLike[str] = "/") -> None:
        self._meminfo = os.path.join(root, "proc/meminfo")
        self._groups = [
            (folder, *names)
            for folder in folders(root, "memory")
            for names in LIMITS
            if os.path.exists(f"{folder}/{names[0]}") and os.path.exists(f"{folder}/{names[1]}")
        ]

    def total(self) -> int | None:
        """Bytes this process may have altogether, None if nothing says so."""
        sizes = [_line(self._meminfo, "MemTotal:", 1024)]
        sizes += [_number(f"{folder}/{limit}") for folder, limit, _, _ in self._groups]
        return min((size for size in sizes if size is not None), default=None)

    def available(self) -> int | None:
        """Bytes that can be taken now, None if nothing says so."""
        sizes = [_line(self._meminfo, "MemAvailable:", 1024)]
        for folder, limit, usage, stale in self._groups:
            most, used = _number(f"{folder}/{limit}"), _number(f"{folder}/{usage}")
            if most is not None and used is not None:
                sizes.append(max(0, most - used + (_line(f"{folder}/memory.stat", stale, 1) or 0)))
        return min((size for size in sizes if size is not None), default=None)

    def require(self, size: int) -> None:
        """Do nothing if `size` bytes can be taken.

        Raises:
            MemoryError: they cannot; says the sizes.
        """
        available = self.available()
        if available is None:
            return
        reserve = min(RESERVE, (self.total() or 0) // 20)
        if size + reserve > available:
            raise MemoryError(
                f"a block of {size:,} bytes of shared memory does not fit: {available:,} bytes are available to this"
                f" process, of which {reserve:,} are left alone; send less at once, or a file's path"
            )


_headroom: Headroom | None = None


def _here() -> Headroom:
    global _headroom
    if _headroom is None:
        _headroom = Headroom()
    return _headroom


def require(size: int) -> None:
    """`Headroom.require` on this machine."""
    _here().require(size)


def total() -> int:
    """`Headroom.total` on this machine; 4 GiB where nothing says it."""
    return _here().total() or 1 << 32


def _number(path: str) -> int | None:
    """A file's one number; None for ``max``."""
    with contextlib.suppress(OSError, ValueError), open(path) as file:
        return int(file.read())
    return None


def _line(path: str, name: str, unit: int) -> int | None:
    """The number behind a name in a file of names and numbers."""
    with contextlib.suppress(OSError, ValueError), open(path) as file:
        for line in file:
            first, _, rest = line.partition(" ")
            if first == name:
                return int(rest.split()[0]) * unit
    return None

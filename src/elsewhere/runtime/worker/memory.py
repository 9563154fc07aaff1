"""How much memory this worker takes, asked between calls.

Rule: cheap, and of this process alone: resident pages that no other process can see the changes of. What is mapped from
files and shared blocks does not count; pages inherited from a fork do.
"""

import os
import sys

__all__ = ["resident", "too_much"]

TYPE_CHECKING = False  # see runtime.launch
if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE_NS = 2_000_000  # between looks, which take some 5 µs; memory cannot grow by more than some 10 MB meanwhile


def resident() -> int:
    """Bytes: resident less shared. Without /proc, the most that was ever resident."""
    try:
        fd = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return _peak()
    try:
        fields = os.read(fd, 256).split()
    finally:
        os.close(fd)
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")


def _peak() -> int:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def too_much(limit: int, calls: "Callable[[], int]") -> "Callable[[int], bool]":
    """A function that says once whether this process is above `limit` bytes.

    Args:
        calls: how many calls have begun: before the first, one that is too large would be replaced by its like.
    """
    look_at = 0
    told = False

    def look(now: int) -> bool:
        nonlocal look_at, told
        if told or now < look_at or not calls():
            return False
        look_at = now + PAUSE_NS
        told = resident() > limit
        return told

    return look

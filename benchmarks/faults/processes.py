"""Finding and ending the processes of a program under test, wherever they have gone.

Rule: a process is known by an entry of its environment that only that program has, and is signalled through a pidfd
that was opened before the entry was read, so that no recycled process id is ever hit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable

from tests.faults.helpers import Ends, until

__all__ = ["carrying", "children", "end_all", "gone_within", "strike"]

TRACKERS = 2.0  # seconds for a resource tracker to tidy up


def carries(pid: int, entry: str) -> bool:
    """Has this process got that in its environment? A zombie has none."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return entry.encode() in file.read().split(b"\0")
    except OSError:
        return False


def carrying(entry: str) -> list[int]:
    """The processes that have this in their environment."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and carries(int(name), entry)]


def strike(pids: Iterable[int], entry: str) -> int:
    """SIGKILL those of these that are alive and ours; returns how many."""
    struck = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            fd = os.pidfd_open(pid)
            try:
                if carries(pid, entry):
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                    struck += 1
            finally:
                os.close(fd)
    return struck


def gone_within(entry: str, seconds: float) -> tuple[float, int]:
    """Seconds until no process has this in its environment, and how many still have when the time is up."""
    begin = time.monotonic()
    while found := carrying(entry):
        left = begin + seconds - time.monotonic()
        if left <= 0:
            return time.monotonic() - begin, len(found)
        with contextlib.suppress(ProcessLookupError), Ends(*found) as ends:
            ends.within(left)
    return time.monotonic() - begin, 0


def end_all(entry: str) -> None:
    """Kill whatever has this in its environment, until nothing has.

    The resource trackers of multiprocessing and loky come last: they tidy up when all others are gone, and end.
    """

    def only_trackers_left() -> bool:
        others = [pid for pid in carrying(entry) if not is_tracker(pid)]
        return not strike(others, entry)

    until(only_trackers_left)
    gone_within(entry, TRACKERS)
    until(lambda: not strike(carrying(entry), entry))


def is_tracker(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"resource_tracker" in file.read()
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """The processes that this one has started and that have not been reaped."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children") as file:
            found += [int(each) for each in file.read().split()]
    return found

"""A signal for a process and all that it has started.

Rule: nobody is missed and nobody else is hit. Each process is stopped before its children are looked for, so that it
can start no others meanwhile; all are signalled and let go on when no more are found. What has left the tree, because
its own parent had ended before, is not found. Elsewhere than on Linux, which has /proc, it is the process alone.
"""

from __future__ import annotations

import contextlib
import os
import signal

__all__ = ["signal_tree"]


def signal_tree(pid: int, signum: int) -> None:
    """Send the signal to this process, which is a child of the fork server, and to its descendants."""
    stopped: list[int] = []
    found = {pid}
    try:
        while found:
            for each in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(each, signal.SIGSTOP)
                stopped.append(each)
            found = _children(stopped) - set(stopped)
        for each in stopped:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(each, signum)
    finally:
        for each in stopped:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGCONT)


def _children(pids: list[int]) -> set[int]:
    parents = set(pids)
    found = set()
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc"):
            if name.isdecimal() and _parent(name) in parents:
                found.add(int(name))
    return found


def _parent(name: str) -> int:
    try:
        with open(f"/proc/{name}/stat", "rb") as file:
            stat = file.read()
    except OSError:  # it has ended
        return 0
    # "pid (name) state parent ...", and the name may hold anything, brackets too
    return int(stat[stat.rindex(b")") + 2 :].split(maxsplit=2)[1])

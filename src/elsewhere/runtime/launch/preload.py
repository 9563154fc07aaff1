"""What a fork server imports before it forks: the worker's own modules, and those that ``preload=`` names.

A process that has threads must not fork: the copy has their locks, not them. So the threads are counted after each
module; one that started some is left out, by a new interpreter in this one's place (a thread cannot be ended from
outside). The libraries under NumPy start as many threads as there are cores, unless they are told not to before they
are loaded: they are, so that NumPy can be preloaded; who sets those variables keeps what he asked for.
"""

import contextlib
import os
import sys

from elsewhere.runtime.launch import child
from elsewhere.runtime.launch.share import THREAD_COUNTS


def load(names: str, left_out: str) -> list[str]:
    """Import the modules (comma-separated) and return the warnings; does not return where one started threads.

    ``left_out`` is what earlier interpreters found: comma-separated ``module=threads``.
    """
    warnings = [_left_out(*item.split("=")) for item in left_out.split(",") if item]
    with contextlib.suppress(Exception):  # said by the first worker, with a traceback
        __import__(child.ENTRY.partition(":")[0])
    wanted = [name for name in names.split(",") if name]
    if not wanted:
        return warnings
    before = _threads()
    if before > 1:
        warnings.append(f"the fork server has {before} threads before any preload: see sitecustomize")
    pinned = [name for name in THREAD_COUNTS if name not in os.environ]
    os.environ.update(dict.fromkeys(pinned, "1"))
    for name in wanted:
        try:
            __import__(name)
        except BaseException as error:  # noqa: BLE001 - also SystemExit: a module's must not end the server
            warnings.append(f"preload module {name} could not be imported: {type(error).__name__}: {error}"[:1000])
        started = _threads() - before
        if started > 0:
            _start_again([other for other in wanted if other != name], f"{left_out},{name}={started}", pinned)
    _unpin(pinned)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or each worker would write it again
    return warnings


def _left_out(name: str, started: str) -> str:
    count = "a thread" if started == "1" else f"{started} threads"
    return f"preload module {name} started {count} and was left out: a process that has threads must not be forked"


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


def _unpin(pinned: list[str]) -> None:
    for name in pinned:
        os.environ.pop(name, None)


def _start_again(wanted: list[str], left_out: str, pinned: list[str]) -> None:
    """This process, the caller's child with the master channel, goes on as a new interpreter."""
    from elsewhere.runtime.launch import server

    _unpin(pinned)
    os.set_inheritable(server.MASTER_FD, True)
    path = sys.orig_argv[sys.orig_argv.index("-c") + 5 :]
    arguments = [server.CODE, "forkserver", ",".join(wanted), left_out.strip(","), *path]
    os.execv(sys.executable, [*child.interpreter(), "-c", *arguments])

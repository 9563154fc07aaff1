"""Programs that are killed, or whose children are.

    python -m benchmarks.faults.sharing.programs NAME LIBRARY METHOD POST [ARGUMENT...]

POST is a FIFO into which they say what there is to say.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from typing import Any

from benchmarks.faults.sharing.children import AT_WORK, busy, end_at_once, wait_to_be_killed
from tests.faults.faults import say

LENGTH = 1000


def made(library: str, method: str) -> tuple[Any, Any]:
    """The module whose things are used, and the context whose processes are."""
    import importlib

    module = importlib.import_module(library)
    context = module.get_context(method)
    return (module if library == "elsewhere" else context), context


def daemons(library: str, method: str, post: str) -> None:
    """Two daemons say that they are at work."""
    context = made(library, method)[1]
    for _ in range(2):
        context.Process(target=busy, args=(post,), daemon=True).start()
    wait_to_be_killed()


def family(library: str, method: str, post: str) -> None:
    """A child and its child say that they are at work."""
    context = made(library, method)[1]
    context.Process(target=parent, args=(library, method, post)).start()
    wait_to_be_killed()


def parent(library: str, method: str, post: str) -> None:
    made(library, method)[1].Process(target=busy, args=(post,)).start()
    busy(post)


def childless(library: str, method: str, post: str) -> None:
    """A child has a child, and is killed; then this program is."""
    context = made(library, method)[1]
    child = context.Process(target=mortal, args=(library, method, post))
    child.start()
    child.join()
    say(post, repr(time.monotonic()))
    os.kill(os.getpid(), signal.SIGKILL)


def mortal(library: str, method: str, post: str) -> None:
    folder = os.path.dirname(post)
    ready = os.path.join(folder, f"ready-{os.getpid()}")
    os.mkfifo(ready)
    made(library, method)[1].Process(target=at_work_for, args=(ready, post), daemon=True).start()
    os.close(os.open(ready, os.O_RDONLY))  # the other end is opened when it is at work
    os.kill(os.getpid(), signal.SIGKILL)


def at_work_for(ready: str, post: str) -> None:
    say(post, AT_WORK)
    os.close(os.open(ready, os.O_WRONLY))  # nothing is written: who opened it for reading is killed now
    wait_to_be_killed()


def starter(library: str, method: str, post: str) -> None:
    """Starts children for ever, of which the last five are there."""
    context = made(library, method)[1]
    kept = []
    while True:
        kept.append(context.Process(target=wait_to_be_killed, daemon=True))
        kept[-1].start()
        context.Process(target=end_at_once).start()
        if len(kept) == 3:
            say(post, AT_WORK)
        if len(kept) > 5:
            kept[0].kill()
            kept.pop(0).join()


# ---- shared memory ---------------------------------------------------------------------------------------------------


def memory(library: str, method: str, post: str) -> None:
    """Shared memory that this program and its child have."""
    context = made(library, method)[1]
    if library == "elsewhere":
        from elsewhere import shared

        array: Any = shared.full(LENGTH, 1, "q")
        context.Process(target=busy, args=(post, array), daemon=True).start()
    else:
        from multiprocessing import shared_memory

        array = shared_memory.SharedMemory(create=True, size=LENGTH * 8)
        context.Process(target=attached, args=(post, array.name), daemon=True).start()
    wait_to_be_killed()


def attached(post: str, name: str) -> None:
    from multiprocessing import shared_memory

    block = shared_memory.SharedMemory(name)
    busy(post, block)


def handle(library: str, method: str, post: str, path: str) -> None:
    """Shared memory, and a file with what another needs to open it."""
    import numpy as np

    array: Any
    if library == "elsewhere":
        from elsewhere import shared

        array = handed = shared.full(LENGTH, 1, "q")
    else:
        from multiprocessing import shared_memory

        block = shared_memory.SharedMemory(create=True, size=LENGTH * 8)
        array, handed = np.ndarray((LENGTH,), "q", block.buf), block.name
        array[:] = 1
    with open(path, "wb") as file:
        pickle.dump(handed, file)
    busy(post, array)


# ---- managers --------------------------------------------------------------------------------------------------------


def manager(library: str, method: str, post: str) -> None:
    """A manager that is in use."""
    home, _ = made(library, method)
    kept = home.Manager()
    values, lock = kept.dict(), kept.Lock()
    lock.acquire()
    values["n"] = 1
    busy(post)


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    globals()[name](*rest)

"""What a scheduler or a worker of ``Pool(where="dask")`` is: a program of its own, which ends when the pool's has.

The law of the file: it is run as source (``python -c``), so it imports nothing of ours.

Its arguments are one JSON text. It says its address on stdout; a worker reads the scheduler's from stdin first. The end
of stdin, or another parent than the one that started it, means that the pool's process has gone, and it goes too.
"""

import contextlib
import json
import os
import select
import shutil
import sys
import threading
from typing import Any, NoReturn

LOOK = 1.0  # seconds between looks at who the parent is: a fork of the caller may hold the other end of stdin


def leave(folder: str, parent: int) -> NoReturn:
    """Wait until nobody needs us any more, then end with everything that is ours."""
    while os.getppid() == parent:
        if select.select([0], [], [], LOOK)[0] and not os.read(0, 4096):
            break
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # not the last one out
        os.rmdir(os.path.dirname(folder))
    os._exit(0)


async def serve(given: dict[str, Any], scheduler: str) -> None:
    """Be a scheduler, or a worker of that scheduler."""
    from distributed import Scheduler, Worker

    common = {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    if scheduler:
        folder = given["folder"]
        server: Any = Worker(
            scheduler, nthreads=1, memory_limit=None, local_directory=folder, name=given["name"], **common
        )
    else:
        server = Scheduler(**common)
    async with server:
        os.write(1, server.address.encode() + b"\n")
        await server.finished()


def main() -> None:
    """Read what is wanted, and serve."""
    given = json.loads(sys.argv[1])
    sys.path[:] = given["path"]
    import dask

    quiet = {"logging": {"distributed": "critical"}, "distributed.worker.profile.enabled": False}
    dask.config.set({**quiet, "temporary-directory": given["folder"]})
    import distributed  # noqa: F401 - it takes its time, while the scheduler's address is on its way

    os.makedirs(given["folder"], exist_ok=True)
    scheduler = sys.stdin.readline().strip() if given["role"] == "worker" else ""
    if given["role"] == "worker" and not scheduler:
        return
    watch = threading.Thread(target=leave, args=(given["folder"], given["parent"]), daemon=True)
    watch.start()
    import asyncio

    asyncio.run(serve(given, scheduler))


if __name__ == "__main__":
    main()

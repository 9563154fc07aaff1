"""One more Dask worker for a cluster that runs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def worker(address: str, host: str, folder: Path, *options: str, threads: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker; it may not have joined yet."""
    log = folder / f"{host}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "distributed.cli.dask_worker", address.replace("dask", "tcp", 1)),
                *("--host", host, "--nthreads", str(threads), "--local-directory", str(folder)),
                *("--no-nanny", "--no-dashboard", *options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={"PATH": os.environ["PATH"]},
            process_group=0,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def descendants(pid: int) -> list[int]:
    """The children of a process, and theirs; one that ends meanwhile may be missing."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found

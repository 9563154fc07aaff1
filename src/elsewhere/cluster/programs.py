"""``Pool(where="dask")``: a scheduler and workers on this machine, as programs.

Rule: starts and ends processes. They are no children of multiprocessing's, so that a script needs no main guard; each
sees the end of its stdin when this process has gone, however it went.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from elsewhere.errors import WorkerStartError

__all__ = ["Programs"]

STARTING = 60.0  # seconds for a program to say its address; importing distributed takes one, on a busy machine many
LEAVING = 2.0  # seconds for one to end


class Programs:
    """A scheduler and its workers, one thread each.

    Args:
        size: how many workers.

    Attributes:
        address: of the scheduler.

    Raises:
        WorkerStartError: they do not start.
    """

    def __init__(self, size: int) -> None:
        self.address = ""
        self._folder = tempfile.mkdtemp(prefix="elsewhere-dask-")
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            for number in range(size + 1):
                self._processes.append(self._start(number))
        except OSError as error:
            self.close()
            raise WorkerStartError(f"Dask's programs cannot be started: {error}") from error
        except BaseException:
            self.close()
            raise

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        given = {
            "role": "worker" if number else "scheduler",
            "name": f"elsewhere-{number}",
            "folder": os.path.join(self._folder, str(number)),
            "path": sys.path,
            "parent": os.getpid(),
        }
        return subprocess.Popen(
            [sys.executable, "-c", _source(), json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is the caller's
        )

    def join_up(self) -> None:
        """Wait until all of them serve.

        Raises:
            WorkerStartError: one of them does not.
        """
        until = time.monotonic() + STARTING
        try:
            scheduler, *workers = self._processes
            self.address = self._line(scheduler, until)
            for worker in workers:
                self._tell(worker)
            for worker in workers:
                self._line(worker, until)
        except BaseException:
            self.close()
            raise

    def _tell(self, worker: subprocess.Popen[bytes]) -> None:
        """Where its scheduler is."""
        assert worker.stdin is not None
        with contextlib.suppress(OSError):
            worker.stdin.write(self.address.encode() + b"\n")

    @staticmethod
    def _line(process: subprocess.Popen[bytes], until: float) -> str:
        assert process.stdout is not None
        said = b""
        while not said.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise WorkerStartError(f"a program of Dask's did not serve within {STARTING:g} s")
            piece = os.read(process.stdout.fileno(), 4096)
            if not piece:
                status = process.wait(LEAVING)
                raise WorkerStartError(f"a program of Dask's ended with status {status} before it served; see stderr")
            said += piece
        return said.decode().strip()

    def mend(self) -> None:
        """Start others in place of workers that have died."""
        for number, process in enumerate(self._processes):
            if number and process.poll() is not None:
                _close(process)
                with contextlib.suppress(OSError):
                    self._processes[number] = self._start(number)
                    self._tell(self._processes[number])

    def close(self) -> None:
        """End them all, and remove their folder."""
        for process in reversed(self._processes):
            _close(process)
        until = time.monotonic() + LEAVING
        for process in self._processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes = []
        shutil.rmtree(self._folder, ignore_errors=True)


def _close(process: subprocess.Popen[bytes]) -> None:
    """Its pipes, which tells it to end."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _source() -> str:
    spec: Any = importlib.util.find_spec("elsewhere.cluster.program")
    return Path(spec.origin).read_text(encoding="utf-8")

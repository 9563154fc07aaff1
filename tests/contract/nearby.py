"""A far place without the way there: far workers as child processes of this one, spoken to through pipes.

What hosts and clusters have in common (the shipped file, packing, opening, the driver) is tested here without SSH, and
quickly. The interpreter is the bare one below our environment, in another folder and with nothing of our environment
variables: a machine that has Python and no more.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from elsewhere.errors import WorkerStartError
from elsewhere.pool.far.driver import FarDriver
from elsewhere.pool.places import Wanted
from elsewhere.runtime.far import bundle
from elsewhere.runtime.far.opening import Opening
from elsewhere.runtime.far.packing import Packer
from elsewhere.sansio.scheduling.credits import BUDGET
from elsewhere.sansio.scheduling.scheduler import Scheduler
from tests.leaks import MARK

NAME = "near"
PYTHON: str = getattr(sys, "_base_executable", sys.executable)
SOME = 1 << 18  # bytes read or written at once
WORDS = 2000  # characters of its last words on stderr


class Nearby:
    """For `Pool(where=...)`.

    Args:
        python: the interpreter.
        delay: seconds that what is sent takes on its way there.
    """

    def __init__(self, python: str = PYTHON, delay: float = 0.0) -> None:
        self.python = python
        self.delay = delay

    def __repr__(self) -> str:
        return "nearby"

    def __elsewhere_place__(self, wanted: Wanted) -> FarDriver:
        """A driver of far workers nearby."""
        wanted.refuse_what_is_local("nearby")
        packer = Packer(sources=True)
        return NearbyDriver(
            Scheduler(wanted.size or 2, lifetime=wanted.lifetime, grace=wanted.grace, budget=BUDGET),
            wanted.name,
            self,
            packer=packer,
            opening=Opening(packer.shipped, packer.own, trust=False),
            initializer=wanted.initializer,
            initargs=wanted.initargs,
        )


class NearbyDriver(FarDriver):
    """Far workers of one pool, nearby."""

    def __init__(self, scheduler: Scheduler, name: str, where: Nearby, **far: Any) -> None:
        super().__init__(scheduler, name, **far)
        self._where = where

    def _open(self, key: int) -> PipeLine:
        return PipeLine(self, key, self._where)


class PipeLine:
    """A line through the pipes of a child process, looked after by a thread of its own."""

    name = NAME

    def __init__(self, driver: FarDriver, key: int, where: Nearby) -> None:
        self._driver = driver
        self._key = key
        self._delay = where.delay
        shipped = bundle.payload()
        try:
            self._process = subprocess.Popen(
                [where.python, "-c", bundle.first_words(len(shipped))],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), MARK: os.environ.get(MARK, "")},
            )
        except OSError as error:
            raise WorkerStartError(f"{where.python} does not start: {error}") from error
        self._waiting: deque[bytes | memoryview] = deque([shipped])
        self._under_way: deque[tuple[float, bytes]] = deque()  # when it arrives, and what
        self._bell, self._listener = os.pipe()[::-1]
        os.set_blocking(self._bell, False)
        self._lock = threading.Lock()  # of the bell's life
        self._over = False
        threading.Thread(target=self._look_after, name=f"nearby-{key}", daemon=True).start()

    def send(self, pieces: Sequence[bytes]) -> None:
        """Have these sent, in order."""
        if self._delay:
            at = time.monotonic() + self._delay
            self._under_way.extend((at, piece) for piece in pieces)
        else:
            self._waiting.extend(pieces)
        with self._lock, contextlib.suppress(BlockingIOError):
            if not self._over:
                os.write(self._bell, b"\0")

    def kill(self) -> None:
        """End the process."""
        self._process.kill()

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _look_after(self) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        words = b""
        with process.stdin, process.stdout, process.stderr, selectors.DefaultSelector() as selector:
            os.set_blocking(process.stdin.fileno(), False)
            for fd in (process.stdout.fileno(), process.stderr.fileno(), self._listener):
                selector.register(fd, selectors.EVENT_READ)
            open_ends = {process.stdout.fileno(), process.stderr.fileno()}
            while process.stdout.fileno() in open_ends:  # what holds stderr open may be a child of a call's
                pause = self._arrive()
                if self._waiting and process.stdin.fileno() not in selector.get_map():
                    selector.register(process.stdin.fileno(), selectors.EVENT_WRITE)
                for key, _ in selector.select(pause):
                    if key.fd == process.stdin.fileno():
                        self._write(selector, key.fd)
                        continue
                    data = os.read(key.fd, SOME)
                    if key.fd == self._listener:
                        continue  # there is something to send
                    if not data:
                        selector.unregister(key.fd)
                        open_ends.discard(key.fd)
                    elif key.fd == process.stdout.fileno():
                        self._driver.post(self._driver.arrived, self._key, data)
                    else:
                        words = (words + data)[-WORDS:]
            status = process.wait()
        with self._lock:
            self._over = True
            os.close(self._bell)
            os.close(self._listener)
        self._driver.post(self._driver.ended, self._key, status, None, words.decode(errors="replace").strip())

    def _arrive(self) -> float | None:
        """What has been under way for long enough is there; seconds until the next is."""
        now = time.monotonic()
        while self._under_way and self._under_way[0][0] <= now:
            self._waiting.append(self._under_way.popleft()[1])
        return self._under_way[0][0] - now if self._under_way else None

    def _write(self, selector: selectors.BaseSelector, fd: int) -> None:
        """Write what waits, as far as there is room."""
        while self._waiting:
            piece = memoryview(self._waiting[0])
            try:
                written = os.write(fd, piece[:SOME])
            except BlockingIOError:
                return
            except BrokenPipeError:  # its end is on stdout, too
                self._waiting.clear()
                break
            if written < len(piece):
                self._waiting[0] = piece[written:]
            else:
                self._waiting.popleft()
        selector.unregister(fd)

"""A thread for small jobs, which exists only while there are some."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

from elsewhere.runtime.driving.signals import Condition

__all__ = ["Errand", "Errands"]

LINGER = 0.5  # seconds that the thread waits for another job: starting one takes some 0.1 ms
_log = logging.getLogger("elsewhere.rpc")
_count = itertools.count()


class Errand:
    """One job.

    Attributes:
        job: None once it was begun or cancelled.
    """

    __slots__ = ("job", "number", "when")

    def __init__(self, when: float, job: Callable[[], object]) -> None:
        self.when = when
        self.number = next(_count)
        self.job: Callable[[], object] | None = job

    def __lt__(self, other: Errand) -> bool:
        return (self.when, self.number) < (other.when, other.number)

    def cancel(self) -> None:
        """Do not begin it."""
        self.job = None


class Errands:
    """Runs jobs one at a time, each not before its time.

    Args:
        name: the thread's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = Condition()
        self._jobs: list[Errand] = []
        self._thread: threading.Thread | None = None
        self._closed = False

    def at(self, when: float, job: Callable[[], object]) -> Errand | None:
        """Run `job` at that time of `time.monotonic`, or as soon as it can be; None and never, once it is closed."""
        errand = Errand(when, job)
        with self._changed:
            if self._closed:
                return None
            heapq.heappush(self._jobs, errand)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            else:
                self._changed.notify()
        return errand

    def soon(self, job: Callable[[], object]) -> Errand | None:
        """`at` once."""
        return self.at(0.0, job)

    def _run(self) -> None:
        while True:
            job = self._next()
            if job is None:
                return
            try:
                job()
            except Exception:  # noqa: BLE001 - a job tells its own errors; this is a bug, or a callback's
                _log.exception("a job of %s raised", self._name)
            del job

    def _next(self) -> Callable[[], object] | None:
        end = time.monotonic() + LINGER
        with self._changed:
            while self._jobs or not self._closed:
                now = time.monotonic()
                while self._jobs and (self._jobs[0].job is None or self._jobs[0].when <= now or self._closed):
                    job = heapq.heappop(self._jobs).job
                    if job is not None:
                        return job
                if not self._jobs and now >= end:
                    break
                self._changed.wait((self._jobs[0].when if self._jobs else end) - now)
            self._thread = None
            return None

    def close(self, patience: float, *, finish: bool = False) -> None:
        """Take no more jobs, and wait so many seconds for the one that runs.

        Args:
            finish: do those that have not begun; else they are forgotten.
        """
        with self._changed:
            self._closed = True
            if not finish:
                self._jobs.clear()
            thread = self._thread
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)

"""Threads beside a loop: they run what would hold it up.

Rule: a piece of work is begun at once as long as there are fewer threads than are allowed, and waits in a queue else.
A thread cannot be stopped: one that is abandoned goes on by itself, counts no longer, and ends with its work.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Job", "Team"]

_log = logging.getLogger("elsewhere.rpc")
STAY = 10.0  # seconds that a thread without work stays
OVERFLOW = 8  # abandoned threads, and those that wait for their callers, may be this many times those that are allowed
PATIENCE = 2.0  # seconds for threads that were told to end
Work = Callable[[], object]


class Job:
    """A piece of work, in a queue or under way."""

    __slots__ = ("_team", "abandoned", "begun", "over", "work")

    def __init__(self, team: Team, work: Work) -> None:
        self._team = team
        self.work = work
        self.begun = self.over = self.abandoned = False

    def abandon(self) -> None:
        """Nobody wants it any more: it is not begun, or its thread is left to itself."""
        self._team.abandon(self)


class Team:
    """Threads that are started when they are needed.

    Args:
        most: how many work at the same time.
        name: what they are called.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._lock = threading.Lock()  # of all that follows
        self._handed: queue.SimpleQueue[Job | None] = queue.SimpleQueue()  # for threads that wait, one entry each
        self._backlog: deque[Job] = deque()
        self._idle = 0  # threads that wait and for which nothing was handed over
        self._lost = 0  # threads that were abandoned, ...
        self._lent = 0  # ... and those that wait for what other jobs may have to do: they do not count
        self._threads: dict[threading.Thread, Job | None] = {}
        self._number = 0
        self._ended = False

    def submit(self, work: Work) -> Job:
        """Do it in a thread; whatever it raises is a bug of ours and is logged.

        Raises:
            RuntimeError: the team has ended, or the system has no thread for the first of it.
        """
        job = Job(self, work)
        with self._lock:
            if self._ended:
                raise RuntimeError("the service has ended")
            if self._idle:
                self._idle -= 1
                self._handed.put(job)
            elif self._many < self._most:
                self._start(job)
            else:
                self._backlog.append(job)
        return job

    def _start(self, job: Job) -> None:
        """Start a thread with its first job; under the lock, so that `end` finds none that has not begun."""
        self._number += 1
        thread = threading.Thread(target=self._run, args=(job,), name=f"{self._name}-{self._number}", daemon=True)
        self._threads[thread] = job
        try:
            thread.start()
        except RuntimeError as error:
            del self._threads[thread]
            if not self._threads:
                raise
            _log.error("no thread can be started for now: %s", error)
            self._backlog.append(job)

    def abandon(self, job: Job) -> None:
        """See `Job.abandon`."""
        with self._lock:
            if job.over or job.abandoned:
                return
            job.abandoned = True
            if not job.begun:
                return
            self._lost += 1
            if self._backlog and not self._ended and self._lost <= OVERFLOW * self._most:
                self._start(self._backlog.popleft())

    def lend(self, count: int) -> None:
        """So many of its threads more, or fewer, wait for what other jobs may have to do."""
        with self._lock:
            self._lent += count
            if self._backlog and not self._ended and self._many < self._most:
                self._start(self._backlog.popleft())

    def mine(self) -> bool:
        """Is the calling thread one of them?"""
        return threading.current_thread() in self._threads

    # ---- a thread ----------------------------------------------------------------------------------------------------

    def _run(self, first: Job) -> None:
        job: Job | None = first
        while job is not None:
            with self._lock:
                job.begun = wanted = not job.abandoned
            if wanted:
                try:
                    job.work()
                except BaseException:  # noqa: BLE001 - the thread goes on
                    _log.critical("a bug in elsewhere", exc_info=True)
            job = self._next(job)

    def _next(self, job: Job) -> Job | None:
        """What this thread does now; None if it is to end."""
        mine = threading.current_thread()
        with self._lock:
            job.over = True
            if job.abandoned and job.begun:
                self._lost -= 1
            if self._ended or self._many > self._most:
                del self._threads[mine]
                return None
            if self._backlog:
                return self._take(mine, self._backlog.popleft())
            self._threads[mine] = None
            self._idle += 1
        while True:
            try:
                found = self._handed.get(timeout=STAY)
            except queue.Empty:
                with self._lock:
                    if self._idle:  # else something is on its way to one of those that wait
                        self._idle -= 1
                        del self._threads[mine]
                        return None
                continue
            with self._lock:
                if found is None:
                    del self._threads[mine]
                    return None
                return self._take(mine, found)

    @property
    def _many(self) -> int:
        """Threads that count."""
        return len(self._threads) - min(self._lost + self._lent, OVERFLOW * self._most)

    def _take(self, thread: threading.Thread, job: Job) -> Job:
        self._threads[thread] = job
        return job

    # ---- the end -----------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Begin nothing more, and wait for threads that have no work; those in a method are left to themselves."""
        with self._lock:
            self._ended = True
            self._backlog.clear()
            idle = [thread for thread, job in self._threads.items() if job is None]
            for _ in range(self._idle):
                self._handed.put(None)
            self._idle = 0
        for thread in idle:
            if thread is not threading.current_thread():
                thread.join(PATIENCE)

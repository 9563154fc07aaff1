"""Threads that take turns in waiting for work.

One thread at a time is the *leader*: it waits for whatever comes next. It takes that, lets the next thread lead, and
does the work itself, so that nothing is handed from thread to thread. When the last spare thread has found work, it
starts another; a thread that is done leads again, or leaves if enough are spare.

Rule: nobody takes what cannot be done now. With `most` at work the sockets are not looked at, and what comes waits in
the system's queue, whose length is its own bound; the same holds for a while when the process is out of descriptors.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable

from elsewhere.net.limits import Statistics
from elsewhere.net.serving.flag import Bell, Flag
from elsewhere.transport.listening import SCARCE
from elsewhere.transport.stream import milliseconds

__all__ = ["Crew", "Work"]

log = logging.getLogger("elsewhere.net")
SPARE = 4  # threads that wait for work: starting one takes as long as a short request
PAUSE = 0.2  # seconds without a look, when the system has no more descriptors or memory
SAY_AGAIN = 10.0  # seconds after which that is logged again
Work = Callable[[], str]  # does it, and says under which name of `Statistics` it counts


class Crew:
    """See the module.

    Args:
        sockets: what is waited for; they do not block.
        take: takes from one of them what is to be done, as a leader; None: there was nothing. May raise `OSError`.
        most: how much may be under way at once.
        name: for the log, what is served.

    Attributes:
        stopping: set by `stop`.
        idle: set once nothing runs any more, after that.
    """

    def __init__(
        self, sockets: Iterable[socket.socket], take: Callable[[socket.socket], Work | None], most: int, name: str
    ) -> None:
        self._take = take
        self._most = most
        self._name = name
        self._turn = threading.Lock()  # of the leader
        self._mutex = threading.Lock()  # of all below
        self._threads: set[threading.Thread] = set()
        self._free = 0  # threads that lead, or wait to
        self._busy = 0
        self._counts: Counter[str] = Counter()
        self._resting = False  # the sockets are not looked at
        self._rest_until = self._said = 0.0
        self._begins_at = 0  # touched by the leader alone
        self.stopping, self.idle = Flag(), Flag()
        self._bell = Bell()
        self._sockets = {sock.fileno(): sock for sock in sockets}
        self._all, self._few = select.poll(), select.poll()
        for poller in (self._all, self._few):
            poller.register(self._bell, select.POLLIN)
            poller.register(self.stopping, select.POLLIN)
        for fd in self._sockets:
            self._all.register(fd, select.POLLIN)

    # ---- from outside ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to wait.

        Raises:
            RuntimeError: the system gives no thread.
        """
        self._start_thread()

    def statistics(self) -> Statistics:
        with self._mutex:
            return Statistics(open=self._busy, **self._counts)

    def stop(self) -> None:
        """Take nothing more; when this returns, nobody looks at the sockets any more."""
        self.stopping.set()
        with self._turn:
            pass
        with self._mutex:
            self._check_idle()

    def mine(self) -> bool:
        """Is the calling thread one of its own?"""
        with self._mutex:
            return threading.current_thread() in self._threads

    def join(self, seconds: float) -> int:
        """After `stop`: wait so long for the threads; how many are left."""
        deadline = time.monotonic() + seconds
        with self._mutex:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        left = sum(thread.is_alive() for thread in threads)
        if not left:
            for one in (self.stopping, self.idle, self._bell):
                one.close()
        return left

    # ---- threads -----------------------------------------------------------------------------------------------------

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._member, name="elsewhere-net", daemon=True)
        with self._mutex:
            thread.start()  # within, so that `join` finds none that was not started
            self._threads.add(thread)
            self._free += 1

    def _member(self) -> None:
        try:
            while (work := self._next()) is not None:
                with self._mutex:
                    self._free -= 1
                    alone = not self._free
                if alone:
                    self._recruit()
                self._do(work)
                with self._mutex:
                    if self._free >= SPARE:
                        return
                    self._free += 1
        finally:
            with self._mutex:
                self._threads.discard(threading.current_thread())

    def _recruit(self) -> None:
        try:
            self._start_thread()
        except RuntimeError as error:  # this one will lead again when its work is done
            log.error("%s: %s, so what comes next waits", self._name, error)

    def _next(self) -> Work | None:
        """Wait for the turn, and then for what is to be done; None: the crew is stopping."""
        with self._turn:
            while not self.stopping.is_set:
                ready = self._awaited()
                first = self._begins_at % len(ready) if ready else 0  # else the first socket might keep others waiting
                for fd, _ in ready[first:] + ready[:first]:
                    if fd == self._bell.fileno():
                        self._bell.hush()
                    elif fd in self._sockets and (work := self._taken(self._sockets[fd])) is not None:
                        self._begins_at += 1
                        return work
        return None

    def _awaited(self) -> list[tuple[int, int]]:
        with self._mutex:
            rest = self._rest_until - time.monotonic()
            self._resting = self._busy >= self._most or rest > 0
        if not self._resting:
            return self._all.poll()
        return self._few.poll(milliseconds(rest) if rest > 0 else None)

    def _taken(self, sock: socket.socket) -> Work | None:
        try:
            work = self._take(sock)
        except BlockingIOError:
            return None  # another process has it, or it has gone again
        except OSError as error:
            self._rest(error)
            return None
        if work is not None:
            with self._mutex:
                self._busy += 1
                self._counts["accepted"] += 1
        return work

    def _rest(self, error: OSError) -> None:
        if error.errno not in SCARCE:  # of one client that has gone already, or of a reply that found nobody
            log.debug("%s: %s", self._name, error)
            return
        now = time.monotonic()
        with self._mutex:
            self._rest_until = now + PAUSE
        if now - self._said > SAY_AGAIN:
            self._said = now
            log.error("%s: nothing can be accepted just now: %s", self._name, error.strerror)

    def _do(self, work: Work) -> None:
        outcome = "failed"
        try:
            outcome = work()
        finally:
            with self._mutex:
                self._busy -= 1
                self._counts[outcome] += 1
                resting = self._resting
                self._check_idle()
            if resting:
                self._bell.ring()

    def _check_idle(self) -> None:
        if self.stopping.is_set and not self._busy:
            self.idle.set()

"""The parent of worker processes: it owns the addresses, accepts, and hands each connection to who has the fewest.

Rule: the kernel's own ways to share a listener (SO_REUSEPORT, several that accept) give one worker six of eight
connections as easily as four; handing over costs 0.05 ms once for a connection. A worker that has died is replaced, one
that dies at once not at once again.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import multiprocessing.util
import os
import queue
import select
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from elsewhere.errors import WorkerStartError, describe_exit
from elsewhere.process.process import Process
from elsewhere.rpc.dialect import plainly
from elsewhere.rpc.serving.arrivals import Arrival, Arrivals, Entrance
from elsewhere.rpc.serving.methods.registry import summed
from elsewhere.rpc.serving.server import Running
from elsewhere.rpc.serving.workers.channel import pair
from elsewhere.rpc.serving.workers.worker import work
from elsewhere.runtime.cpus import available
from elsewhere.transport.tls import TLS

if TYPE_CHECKING:
    from elsewhere.rpc.service import Service

__all__ = ["Workers"]

_log = logging.getLogger("elsewhere.rpc")
SHORT = 1.0  # seconds: a worker that lived less is replaced only after a while, which doubles each time ...
LONGEST = 30.0  # ... up to so many seconds
START = 60.0  # seconds for the first workers to be ready
ANSWER = 1.0  # seconds for a worker to tell its statistics
GRACE = 2.0  # seconds for a worker to end after it has closed; then it is killed


class Worker:
    """One worker process, as its parent sees it.

    Attributes:
        given: connections that it was handed.
        gone: those of them that are over, as it says.
        born: when it was started.
        ready: it serves.
    """

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...], number: int) -> None:
        self.channel, far = pair()
        self.process = Process(target=target, args=(args[0], far, *args[1:]), name=f"elsewhere-rpc-worker-{number}")
        self.process._quiet = True  # how it ended is logged
        self.given = self.gone = 0
        self.born = time.monotonic()
        self.ready = False
        try:
            self.process.start()
        except BaseException:
            self.channel.close()
            raise
        finally:
            far.close()

    @property
    def load(self) -> int:
        """Connections that it has."""
        return self.given - self.gone

    def end(self, deadline: float) -> None:
        """Wait for its end; after the deadline, kill it."""
        self.process.join(max(0.0, deadline - time.monotonic()))
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.channel.close()
        self.process.close()


class Gathered(NamedTuple):
    """What others tell one worker that has asked.

    Attributes:
        worker: who has asked.
        question: its number of that.
        left: who has not answered yet.
        told: what they have said so far.
    """

    worker: Worker
    question: int
    left: set[Worker]
    told: list[dict[str, list[Any]]]


class Workers(Running):
    """A service that is served by several processes."""

    def __init__(self, service: Service, arrivals: Arrivals, count: int, tls: TLS | None) -> None:
        super().__init__(service, arrivals)
        self._arrivals: Arrivals = arrivals
        self._count = count
        self._tls = tls if arrivals.secure else None
        self._poll = select.epoll()
        self._entrance = Entrance(
            arrivals,
            watch=lambda fd: self._poll.register(fd, select.EPOLLIN),
            unwatch=self._poll.unregister,
            later=self._after,
            welcome=self._hand_over,
            closing=lambda: self._closing,
        )
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._wake, select.EPOLLIN)
        self._workers: list[Worker] = []
        self._numbers = itertools.count(1)
        self._told: dict[int, list[dict[str, list[Any]]]] = {}
        self._gathered: dict[int, Gathered] = {}
        self._changed = threading.Condition()
        self._later: list[tuple[float, Callable[[], object]]] = []
        self._asked: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._delay = 0.0
        self._begun = self._stopping = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="elsewhere-rpc-parent", daemon=True)
        try:
            for _ in range(count):
                self._start_worker()
            self._at_exit = multiprocessing.util.Finalize(None, self.close, args=(0.0,), exitpriority=10)
            self._thread.start()
            self._wait_until_ready()
        except BaseException:
            self.close(0.0)
            raise

    def _start_worker(self) -> None:
        most = math.ceil(self._service._limits.connections / self._count)
        share = most, max(1, available() // self._count)
        worker = Worker(work, (self._service, self._tls, share, self.addresses), next(self._numbers))
        self._workers.append(worker)
        self._poll.register(worker.channel.fileno(), select.EPOLLIN)

    def _wait_until_ready(self) -> None:
        with self._changed:
            ready = self._changed.wait_for(lambda: self._failure or all(each.ready for each in self._workers), START)
        if self._failure is not None:
            why = plainly(self._failure)
            raise WorkerStartError(f"a worker of the service cannot start: {why}") from self._failure
        if not ready:
            raise WorkerStartError(f"the workers of the service were not ready within {START:g} s")
        self._begun = True
        self._rouse(self._entrance.open)

    # ---- its thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                left = min((when for when, _ in self._later), default=math.inf) - time.monotonic()
                for fd, _ in self._poll.poll(-1 if left == math.inf else max(0.0, left)):
                    self._happened(fd)
                now = time.monotonic()
                due = [work for when, work in self._later if when <= now]
                self._later = [entry for entry in self._later if entry[0] > now]
                for each in due:
                    each()
        except BaseException:  # noqa: BLE001 - what goes on without it would hang
            _log.critical("the server is ended by a bug in elsewhere", exc_info=True)

    def _happened(self, fd: int) -> None:
        if fd == self._wake:
            os.eventfd_read(fd)
            while not self._asked.empty():
                self._asked.get()()
            return
        if fd in self._entrance:
            self._entrance.accept(fd)
            return
        for worker in self._workers:
            if worker.channel.fileno() == fd:
                self._hear(worker)
                return

    def _rouse(self, work: Callable[[], object]) -> None:
        self._asked.put(work)
        os.eventfd_write(self._wake, 1)

    def _after(self, seconds: float, work: Callable[[], object]) -> None:
        self._later.append((time.monotonic() + seconds, work))

    # ---- connections -------------------------------------------------------------------------------------------------

    def _hand_over(self, arrival: Arrival) -> None:
        with arrival.sock as sock:
            for worker in sorted((each for each in self._workers if each.ready), key=lambda each: each.load):
                if worker.channel.send(
                    ["connection", arrival.label, arrival.context is not None, arrival.web], sock.fileno()
                ):
                    worker.given += 1
                    return
        self._entrance.warn("%s is turned away: no worker takes it", arrival.label)
        self._entrance.rest()

    # ---- workers -----------------------------------------------------------------------------------------------------

    def _hear(self, worker: Worker) -> None:
        while True:
            try:
                packet = worker.channel.receive()
            except EOFError:
                self._lost(worker)
                return
            if packet is None:
                return
            (verb, *rest), _ = packet
            with self._changed:
                if verb == "gone":
                    worker.gone = max(worker.gone, rest[0])  # two threads of it may tell in the wrong order
                elif verb == "ready":
                    worker.ready = True
                    self._delay = 0.0
                elif verb == "statistics" and rest[0] in self._told:
                    self._told[rest[0]].append(rest[1])
                elif verb == "statistics":
                    self._gather(worker, *rest)
                elif verb == "others":
                    self._ask_others(worker, rest[0])
                self._changed.notify_all()

    def _ask_others(self, worker: Worker, question: int) -> None:
        """A worker wants to know what the others were called; nothing waits for that here."""
        number = next(self._numbers)
        told = ["statistics", number]
        others = {each for each in self._workers if each is not worker and each.ready and each.channel.send(told)}
        self._gathered[number] = Gathered(worker, question, others, [])
        self._answer_if_all_said(number)

    def _answer_if_all_said(self, number: int) -> None:
        found = self._gathered[number]
        if not found.left:
            del self._gathered[number]
            found.worker.channel.send(["others", found.question, summed(found.told)])

    def _gather(self, worker: Worker, number: int, told: dict[str, list[Any]]) -> None:
        found = self._gathered.get(number)
        if found is not None:  # not one that `told` has not waited for
            found.told.append(told)
            found.left.discard(worker)
            self._answer_if_all_said(number)

    def _lost(self, worker: Worker) -> None:
        """Its channel is closed: it has ended, or is about to."""
        self._poll.unregister(worker.channel.fileno())
        self._workers.remove(worker)
        for number, found in list(self._gathered.items()):
            found.left.discard(worker)
            self._answer_if_all_said(number)
        lived = time.monotonic() - worker.born
        failure = _outcome(worker.process)
        code = worker.process.exitcode
        worker.end(time.monotonic() + GRACE)
        if self._closing:
            return
        if not self._begun:  # one of the first
            with self._changed:
                self._failure = failure
                self._changed.notify_all()
            return
        _log.error(
            "worker %s %s and is replaced: its %d connections are lost",
            worker.process.name,
            describe_exit(code),
            worker.load,
        )
        self._delay = 0.0 if lived >= SHORT else min(LONGEST, max(0.1, 2 * self._delay))
        self._after(self._delay, self._replace)

    def _replace(self) -> None:
        if self._closing or len(self._workers) >= self._count:
            return
        try:
            self._start_worker()
        except Exception:  # noqa: BLE001 - it is tried again
            _log.exception("a worker cannot be started")
            self._delay = min(LONGEST, max(0.1, 2 * self._delay))
            self._after(self._delay, self._replace)

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that serve."""
        return [each.process.pid for each in list(self._workers) if each.ready and each.process.pid is not None]

    def told(self) -> list[dict[str, list[Any]]]:
        """What the workers tell within a second."""
        number = next(self._numbers)
        with self._changed:
            answers = self._told[number] = []
            asked = sum(each.channel.send(["statistics", number]) for each in self._workers if each.ready)
            self._changed.wait_for(lambda: len(answers) >= asked, ANSWER)
            del self._told[number]
        return list(answers)

    def hurry(self) -> None:
        """If it is being closed: kill the workers."""
        if self._closing:
            for worker in list(self._workers):
                with contextlib.suppress(ValueError):  # it has just been closed
                    worker.process.kill()

    # ---- the end -----------------------------------------------------------------------------------------------------

    def _close(self, deadline: float) -> None:
        """Tell the workers to end what runs, and wait for them."""
        with contextlib.suppress(AttributeError):
            self._at_exit.cancel()
        self._stopping = True
        if self._thread.ident is not None:
            os.eventfd_write(self._wake, 1)
            self._thread.join()
        self._arrivals.close()
        seconds = max(0.0, deadline - time.monotonic())
        try:
            for worker in self._workers:
                while not worker.channel.send(["close", seconds]) and worker.process.is_alive():
                    time.sleep(0.01)  # it has not taken its last connections yet
                    if time.monotonic() >= deadline:
                        break
            for worker in self._workers:
                worker.process.join(max(0.0, max(deadline, time.monotonic()) + GRACE - time.monotonic()))
        finally:  # a signal may have ended the patience
            for worker in self._workers:
                worker.end(0.0)
            self._workers.clear()
            self._poll.close()
            os.close(self._wake)


def _outcome(process: Process) -> BaseException:
    """Why it has ended."""
    process.join(GRACE)
    try:
        process.result(0)
    except BaseException as error:  # noqa: BLE001 - whatever it raised
        return error
    return RuntimeError("it has ended")

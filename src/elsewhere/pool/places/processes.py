"""Calls in worker processes: the default place.

Rule: carries out what the scheduler says with sockets, pages and the fork server. Only the driver's thread
reads or writes them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from elsewhere.errors import ElsewhereError, WorkerLost, WorkerStartError, describe_exit
from elsewhere.pool.contexts import Method
from elsewhere.pool.places import relay
from elsewhere.pool.places.arrivals import Arrivals
from elsewhere.pool.places.freight import Freight, all_plain, is_plain
from elsewhere.pool.places.watcher import Watcher
from elsewhere.runtime.channel import Answer, Channel
from elsewhere.runtime.cpus import available
from elsewhere.runtime.envelope import open_envelope
from elsewhere.runtime.jobs import CallJob, ours
from elsewhere.runtime.launch import Exited, Launcher, ServerLost, Started
from elsewhere.runtime.packing import Packer, by_reference
from elsewhere.runtime.page import STARTED
from elsewhere.runtime.spin import wait_soon
from elsewhere.runtime.worker.handles import sending
from elsewhere.runtime.worker.surroundings import take_surroundings
from elsewhere.sansio.frames import Reply, ToWorker, command
from elsewhere.sansio.scheduling.jobs import (
    Interrupt,
    Kill,
    Observe,
    Order,
    Recall,
    Retire,
    Send,
    Skip,
    Start,
    Stop,
    Withdraw,
)
from elsewhere.sansio.scheduling.scheduler import Scheduler
from elsewhere.sansio.spinning import Spinning

__all__ = ["Processes"]

ANSWERED = frozenset(map(int, (Reply.BELL, Reply.BIG)))  # kinds of frames
LOOK = 0.002  # seconds after a bell until answers that no bell will ring for are on the page: see `_look_later`
HEAP_LOOK = 0.001  # the same, times the heap, where bells are further apart
LONGEST_LOOK = 0.05  # seconds
DUMP = 0.05  # seconds for a worker to write its stacks, which are written in pieces that would mix with another's


class Processes(Arrivals):
    """One pool's worker processes.

    Args:
        method: "forkserver", "spawn" or "fork".
        initializer: called in each worker before its first call, with `initargs`.
        preload: modules the fork server imports.
        max_memory: bytes after which a worker is replaced; None for never.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        *,
        method: Method = "forkserver",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        preload: tuple[str, ...] = (),
        max_memory: int | None = None,
    ) -> None:
        super().__init__(scheduler, name)
        self._method = method
        self._preload = preload
        self._inherited = (initializer, initargs) if method == "fork" else None
        self._extra_fds: list[int] = []
        self._freight = Freight(dict(sys.modules["__main__"].__dict__) if method == "fork" else None)
        self._surroundings = take_surroundings()
        self._surroundings["cores"] = max(1, available() // scheduler.size)
        self._surroundings["levels"] = relay.take_levels()
        self._surroundings["max_memory"] = max_memory
        self._surroundings["workers"] = scheduler.size
        self._surroundings.update(self._pack_initializer(initializer, initargs))
        self._launcher = self._launch()
        self._channels: dict[int, Channel] = {}
        self._dumps: list[int] = []  # workers that are to write their stacks
        self._dump_at: float | None = None
        self._watcher = Watcher()
        self._spinning = Spinning()
        self._waker, self._wakee = socket.socketpair()
        for sock in (self._waker, self._wakee):
            sock.setblocking(False)
        self._watcher.register(self._wakee.fileno(), self._woken)
        self._watch_launcher()

    def _watch_launcher(self) -> None:
        self._launcher_fd = self._launcher.fileno()
        self._watcher.register(self._launcher_fd, self._reports)

    def _launch(self) -> Launcher:
        return Launcher(self._method, self._preload, self._inherited)

    def _pack_initializer(self, initializer: Any, initargs: tuple[Any, ...]) -> dict[str, Any]:
        """The initializer as the setup frame carries it; raises in the caller what pickling it raises."""
        if initializer is None or self._method == "fork":
            return {"initializer": None, "definitions": []}
        packer = Packer()
        with sending() as fds:
            packed = packer.item((initializer, initargs), lambda: "the initializer and its initargs")
        self._extra_fds = [os.dup(fd) for fd in fds]
        definitions = [tuple(packer.definitions[digest]) for digest in packed.needs]
        return {"initializer": tuple(packed), "definitions": definitions}

    # ---- packing, in the caller's thread -------------------------------------------------------------------------

    def prepare(self, job: CallJob) -> None:
        """Pickle the job's function."""
        self._freight.prepare(job)
        if self._surroundings["max_memory"] is not None:
            job.heap = 1  # a worker is weighed between calls when it rings, and finishes what it holds

    by_reference = staticmethod(by_reference)
    is_plain = staticmethod(is_plain)
    all_plain = staticmethod(all_plain)

    def pack(self, job: CallJob, values: list[Any] | range, first: int, input_name: str) -> list[Any] | range:
        """Pickle what is not plain."""
        return self._freight.pack(job, values, first, input_name)

    def share(self, obj: Any) -> Any:
        """A handle of an object that goes to each worker once."""
        return self._freight.share(obj)

    # ---- looking in from other threads ---------------------------------------------------------------------------

    def running(self) -> list[tuple[CallJob, int, int, float]]:
        """Job, index, pid and start of each call being executed."""
        found: list[tuple[CallJob, int, int, float]] = []
        for key, channel in list(self._channels.items()):
            with contextlib.suppress(KeyError, IndexError, ValueError):  # it ends while we look
                peer = self.scheduler.peers[key]
                started, since = channel.running()
                if started > peer.done:
                    job, index = peer.first
                    found.append((ours(job), index, channel.pid or 0, since))
        return found

    def workers(self) -> list[int]:
        """The workers' process ids."""
        return [channel.pid for channel in list(self._channels.values()) if channel.pid is not None]

    def dump_workers(self) -> None:
        """Have each worker write its stacks to stderr, one after the other."""
        self.post(self._dump_all)

    def _dump_all(self) -> None:
        self._dumps = list(self._channels)
        self._dump_at = time.monotonic()

    def _dump_next(self, now: float) -> None:
        key = self._dumps.pop(0)
        self._dump_at = now + DUMP if self._dumps else None
        channel = self._channels.get(key)
        if channel is not None and channel.pid is not None:
            with contextlib.suppress(OSError):
                os.write(2, f"\nWorker {channel.pid}:\n".encode())  # where it writes, too
            self._launcher.signal(key, signal.SIGUSR1)

    # ---- actions -------------------------------------------------------------------------------------------------

    def _perform(self, action: Order) -> None:
        if type(action) is Start:
            self._start_worker(action.worker)
        elif (channel := self._channels.get(action.worker)) is None:
            return  # decided when its last answers were read; it was lost since, and what it held is dealt again
        elif type(action) is Send:
            pieces = channel.news() + self._freight.frames(channel, ours(action.job), action.lo, action.hi)
            self._watch(channel, channel.send(pieces))
            if channel.look_at is None and self.scheduler.peers[action.worker].outstanding > 1:
                self._look_later(channel)
        else:
            self._tell(channel, action)

    def _tell(self, channel: Channel, action: Order) -> None:
        key = channel.key
        if type(action) is Observe:
            self._look(channel)
            if key in self.scheduler.peers:
                now = time.monotonic()  # before the look: what it shows is at least this old
                self.scheduler.observed(key, *channel.running(), now)
        elif type(action) is Recall:
            channel.recall()
            self.scheduler.recalled(key, time.monotonic())
        elif type(action) is Withdraw:
            self._watch(channel, channel.withdraw(action.first))
        elif type(action) is Skip:
            self._watch(channel, channel.skip(action.first, action.last))
        elif type(action) is Interrupt:
            channel.interrupt(action.ordinal, action.cancelled)
            self._launcher.signal(key, signal.SIGURG)
        elif type(action) is Retire:
            self._watch(channel, channel.send([command(ToWorker.EXIT)]))
        elif type(action) is Stop:
            self._launcher.signal(key, signal.SIGTERM)
        elif type(action) is Kill:
            self._launcher.signal(key, signal.SIGKILL)

    def _start_worker(self, key: int) -> None:
        try:
            channel = self._channels[key] = Channel(key, self._freight.store)
        except OSError as failure:  # no more descriptors
            cure = "have fewer workers, close some files, or raise the limit (ulimit -n)"
            error = WorkerStartError(f"there is no room for its channel: {failure}: {cure}")
            self.scheduler.lost(key, 0, error, time.monotonic())
            return
        self._launcher.start(key, [*channel.child_fds, *self._extra_fds])
        channel.launched()
        self._watcher.register(channel.sock.fileno(), partial(self._receive, channel))
        self._watch(channel, channel.setup(self._surroundings))

    def _watch(self, channel: Channel, waits: bool) -> None:
        """Ask to be told when the socket takes more, if bytes wait for it."""
        if channel.waits is not waits and not channel.eof:
            channel.waits = waits
            self._watcher.watch_writing(channel.sock.fileno(), waits)

    # ---- waiting -------------------------------------------------------------------------------------------------

    def _sleep(self, timeout: float | None) -> Any:
        wait = self._watcher.wait
        if self.scheduler.unfinished != 1 or timeout == 0 or self._driving == self._thread.ident:
            return wait(timeout)
        return wait_soon(self._spinning, partial(wait, 0), partial(wait, timeout))  # somebody waits for a lone call

    def _happened(self, events: Any) -> None:
        for call in events:
            call()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it will wake; closed: it has ended
            self._waker.send(b"\0")

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakee.recv(4096)

    def _next_timer(self) -> float | None:
        soonest = self.scheduler.next_timer()
        for channel in self._channels.values():
            at = channel.look_at
            if at is not None and (soonest is None or at < soonest):
                soonest = at
        if self._dump_at is not None and (soonest is None or self._dump_at < soonest):
            soonest = self._dump_at
        return soonest

    def _tick(self, now: float) -> None:
        for channel in list(self._channels.values()):
            if channel.look_at is not None and channel.look_at <= now:
                channel.look_at = None
                self._look(channel)
                peer = self.scheduler.peers.get(channel.key)
                if peer is not None and peer.outstanding > 1:
                    channel.patience = min(2 * channel.patience, LONGEST_LOOK)
                    channel.look_at = now + channel.patience
        if self._dump_at is not None and self._dump_at <= now:
            self._dump_next(now)
        self.scheduler.tick(now)

    # ---- answers -------------------------------------------------------------------------------------------------

    def _receive(self, channel: Channel) -> None:
        if self._channels.get(channel.key) is not channel:
            return  # buried a moment ago, by a report that came in the same look
        if channel.waits:
            self._watch(channel, channel.flush())
        for answer in channel.receive():
            self._handle(channel, answer)
        if not channel.eof and (news := channel.news()):
            self._watch(channel, channel.send(news))
        if channel.eof:  # a hint only: the fork server says when and how it died
            self._watcher.unregister(channel.sock.fileno())

    def _look(self, channel: Channel) -> None:
        """Read the answers that no bell has rung for; what their calls printed is on the socket, and comes first."""
        state = channel.page.state()
        if not channel.eof:
            self._receive(channel)
        self._handle_records(channel, channel.page.read(*state), 0.0)

    def _handle(self, channel: Channel, answer: Answer) -> None:
        if answer.kind in ANSWERED:
            self._handle_records(channel, answer.records, answer.busy)
            self._look_later(channel)
        elif answer.kind == Reply.OUTPUT:
            relay.show(answer.stream, answer.payload, self._context(channel.key))
        elif answer.kind == Reply.LOG:
            relay.handle(answer.stream, answer.payload, self._context(channel.key))
        elif answer.kind == Reply.WORN:
            self.scheduler.worn(channel.key)
        elif answer.kind == Reply.READY:
            self.scheduler.worker_ready(channel.key, time.monotonic())
        elif answer.kind == Reply.RELEASED:
            self._handle_records(channel, answer.records, 0.0)
            self.scheduler.released(channel.key, time.monotonic())
        elif answer.kind == Reply.FAILED:
            channel.start_error = answer.payload

    def _look_later(self, channel: Channel) -> None:
        """The hole in the bells: an answer just after a bell, then a long call, would wait for its end.

        A look later than that after the last bell finds it. While there are calls behind the one the worker is in,
        looks go on, each after twice the time: short calls do not look at the clock each.
        """
        peer = self.scheduler.peers.get(channel.key)
        if peer is None or not peer.held:
            channel.look_at = None
        else:
            channel.patience = max(LOOK, HEAP_LOOK * peer.held[0].job.heap)
            channel.look_at = time.monotonic() + channel.patience

    # ---- life and death ------------------------------------------------------------------------------------------

    def _reports(self) -> None:
        for report in self._launcher.read():
            if isinstance(report, Started):
                if (channel := self._channels.get(report.key)) is not None:
                    channel.pid = report.pid
            elif isinstance(report, Exited):
                self._bury(report.key, report.pid, report.status)
            elif isinstance(report, ServerLost):
                self._restart(report.keys)

    def _restart(self, keys: tuple[int, ...]) -> None:
        """The fork server died and its workers with it: another is started, running calls are lost."""
        self._watcher.unregister(self._launcher_fd)
        self._launcher.close()
        self._launcher = self._launch()
        self._watch_launcher()
        for key in list(self._channels):
            pid = self._channels[key].pid
            if pid is not None and os.getpid() == 1:  # of a container: they are its orphans now
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)
            self._bury(key, pid, -signal.SIGKILL if key in keys else None)

    def _bury(self, key: int, pid: int | None, status: int | None) -> None:
        """A worker is certainly gone: what it finished counts, what it was in is lost."""
        channel = self._channels.get(key)
        if channel is None:
            return
        if not channel.eof:
            self._watcher.unregister(channel.sock.fileno())
            for answer in channel.receive():
                self._handle(channel, answer)
        self._handle_records(channel, channel.look(), 0.0)
        del self._channels[key]
        started = channel.page.words[STARTED]
        error: ElsewhereError
        peer = self.scheduler.peers[key]
        if channel.start_error is not None:
            cause, _ = open_envelope(channel.start_error, "initializer", None, pid)
            error = WorkerStartError(f"its initializer raised {type(cause).__name__}: {cause}")
            error.__cause__ = cause
        elif not started and not peer.done and not peer.held:
            error = WorkerStartError(f"it {describe_exit(status)} before it was ready")
        else:
            call = ""
            if peer.held and started > peer.done:
                job, index = peer.first
                call = f"{ours(job).name}, input {index}"
            error = WorkerLost(exitcode=status, pid=pid, call=call)
        self.scheduler.lost(key, started, error, time.monotonic(), killed=status in {None, -signal.SIGKILL})
        channel.close()

    def _give_back(self) -> None:
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()
        self._freight.store.close()
        self._launcher.close()
        self._watcher.close()
        self._waker.close()
        self._wakee.close()
        for fd in self._extra_fds:
            os.close(fd)

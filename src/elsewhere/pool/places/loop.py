"""Calls of coroutine functions on one asyncio loop in a thread of its own: `Pool(100, where="loop")` keeps 100 going.

Rule: a worker here is a slot. Only the loop's thread touches tasks.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from typing import Any

from elsewhere.errors import CallCancelled, CallTimeout, ElsewhereError, WorkerLost, WorkerStartError
from elsewhere.pool.places.threads import LocalDriver, add_note, call_item
from elsewhere.runtime.jobs import CallJob, ours
from elsewhere.sansio.scheduling.jobs import Interrupt, Kill, Observe, Order, Retire, Send, Start, Stop
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["Loop"]


class _Slot:
    """One of the calls that may be going on at once."""

    def __init__(self) -> None:
        self.started = 0
        self.since = 0.0
        self.task: asyncio.Task[None] | None = None
        self.stopped: ElsewhereError | None = None
        self.waiting: deque[tuple[CallJob, int]] = deque()  # the rest of a chunk: calls of one slot go in order


class Loop(LocalDriver):
    """A pool's loop. A plain function is called on the loop too, and holds it up: that is what threads are for."""

    def __init__(self, scheduler: Scheduler, name: str, **kwargs: Any) -> None:
        super().__init__(scheduler, name, **kwargs)
        self._slots: dict[int, _Slot] = {}
        self._loop = asyncio.new_event_loop()
        self._failure: WorkerStartError | None = None
        self._initialized = False
        self._loop_thread = threading.Thread(target=self._serve, name=f"{name}-loop", daemon=True)

    def start(self) -> None:
        """Start the loop's thread and the driver's."""
        self._loop_thread.start()
        super().start()

    def running(self) -> list[tuple[CallJob, int, int, float]]:
        """Job, index, slot and start of each call being executed."""
        found: list[tuple[CallJob, int, int, float]] = []
        for key, slot in list(self._slots.items()):
            peer = self.scheduler.peers.get(key)
            if peer is not None and slot.started > peer.done and peer.held:
                job, index = peer.first
                found.append((ours(job), index, key, slot.since))
        return found

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:  # those that were cancelled and went on: they get one more turn, not for ever
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=0.5))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _perform(self, action: Order) -> None:
        if isinstance(action, Start):
            self._slots[action.worker] = _Slot()
            self._loop.call_soon_threadsafe(self._open, action.worker)
            return
        slot = self._slots.get(action.worker)
        if slot is None:
            return
        if isinstance(action, Send):
            self._loop.call_soon_threadsafe(self._begin, action.worker, slot, ours(action.job), action.lo, action.hi)
        elif isinstance(action, Observe):
            self.scheduler.observed(action.worker, slot.started, slot.since, time.monotonic())
        elif isinstance(action, Interrupt):
            kind = CallCancelled("this call was cancelled") if action.cancelled else CallTimeout("this call is late")
            self._loop.call_soon_threadsafe(self._stop, slot, action.ordinal, kind)
        elif isinstance(action, Stop):
            self._loop.call_soon_threadsafe(self._halt, action.worker, slot)
        elif isinstance(action, Kill):
            slot.waiting.clear()  # they are with other slots now
            self._gone(action.worker, slot.started, WorkerLost("the task did not end when it was cancelled"))
        elif isinstance(action, Retire):
            self._gone(action.worker, slot.started, WorkerLost("the slot ended"))

    def _gone(self, key: int, started: int, error: ElsewhereError) -> None:
        self._slots.pop(key, None)
        super()._gone(key, started, error)

    def _give_back(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop_thread.join(1.0)

    # ---- on the loop's thread ------------------------------------------------------------------------------------

    def _open(self, key: int) -> None:
        """A slot opens; the initializer runs once, on the loop, since all slots share it."""
        if not self._initialized and self._initializer is not None:
            try:
                self._initializer(*self._initargs)
            except BaseException as error:  # noqa: BLE001 - reported as the reason why the loop cannot start
                failure = WorkerStartError(f"its initializer raised {type(error).__name__}: {error}")
                failure.__cause__ = error
                self.post(self._gone, key, 0, failure)
                return
        self._initialized = True
        self.post(self._ready, key)

    def _halt(self, key: int, slot: _Slot) -> None:
        """The pool was terminated: cancel what runs; its end is the slot's."""
        if slot.task is None:
            self.post(self._gone, key, slot.started, WorkerLost("the slot ended"))
        else:
            self._stop(slot, slot.started, WorkerLost("the pool was terminated while it ran this call"))

    def _begin(self, key: int, slot: _Slot, job: CallJob, lo: int, hi: int) -> None:
        slot.waiting.extend((job, index) for index in range(lo, hi))
        if slot.task is None:
            self._next(key, slot)

    def _next(self, key: int, slot: _Slot) -> None:
        if self.scheduler.terminated or not slot.waiting:
            return
        job, index = slot.waiting.popleft()
        slot.stopped = None
        slot.since = time.monotonic()
        slot.task = self._loop.create_task(self._call(key, slot, job, index), context=job.context.copy())
        slot.started += 1  # not before: a task that is cancelled before its first step never answers

    async def _call(self, key: int, slot: _Slot, job: CallJob, index: int) -> None:
        value, error, item = None, None, None
        try:
            if index not in job.settled:
                item = job.take(index, index + 1)[0]
                value = call_item(job.fn, item, job.shape)
                if asyncio.iscoroutine(value):
                    value = await value
        except BaseException as failure:  # noqa: BLE001 - it belongs to the caller, whatever it is
            error = failure
            if slot.stopped is not None:
                error = slot.stopped.with_traceback(failure.__traceback__)
            add_note(error, job, index, item, f"slot {key} of the loop")
        slot.task = None
        self.post(self._answer, key, value, error, time.monotonic() - slot.since)
        if self.scheduler.terminated:
            self.post(self._gone, key, slot.started, WorkerLost("the pool was terminated"))
        else:
            self._next(key, slot)

    def _stop(self, slot: _Slot, ordinal: int, why: ElsewhereError) -> None:
        """Cancel the slot's task, if it is still in that call."""
        if slot.task is not None and slot.started == ordinal and slot.stopped is None:
            slot.stopped = why
            slot.task.cancel(str(why))

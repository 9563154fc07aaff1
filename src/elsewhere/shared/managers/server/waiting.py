"""Events, barriers and queues of a manager, as machines; the rule is that of `locks`."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from .locks import BoundedSemaphore, Call, Condition, Lock, Machine, RLock, Semaphore, drop_unwanted

__all__ = ["MACHINES", "Barrier", "Event", "Queue"]


class Event(Machine):
    """`threading.Event`."""

    public = ("is_set", "set", "clear", "wait")

    def __init__(self) -> None:
        self.flag = False
        self.waiters: deque[Call] = deque()

    def is_set(self, call: Call) -> bool:
        return self.flag

    def set(self, call: Call) -> None:
        self.flag = True
        while self.waiters:
            self.waiters.popleft().answer(True)

    def clear(self, call: Call) -> None:
        self.flag = False

    def wait(self, call: Call, timeout: float | None = None) -> Any:
        if self.flag:
            return True
        if timeout is not None and timeout <= 0:
            return False
        self.waiters.append(call)
        return call.park(self, timeout)

    def withdraw(self, call: Call) -> None:
        self.waiters.remove(call)


class Barrier(Machine):
    """`threading.Barrier`. A process that ends while it waits at one breaks it: the others would wait in vain."""

    public = ("__getattribute__", "wait", "abort", "reset")

    def __init__(self, parties: int, action: Callable[[], Any] | None = None, timeout: float | None = None) -> None:
        if parties < 1:
            raise ValueError("parties must be > 0")
        self.parties = parties
        self.action = action
        self.timeout = timeout
        self.broken = False
        self.waiters: list[Call] = []

    @property
    def n_waiting(self) -> int:
        return len(self.waiters)

    def wait(self, call: Call, timeout: float | None = None) -> Any:
        if self.broken:
            raise threading.BrokenBarrierError
        index = len(self.waiters)
        if index + 1 == self.parties:
            try:
                if self.action is not None:
                    self.action()
            except BaseException:
                self.abort(call)
                raise
            waiters, self.waiters = self.waiters, []
            for place, waiter in enumerate(waiters):
                waiter.answer(place)
            return index
        self.waiters.append(call)
        timeout = self.timeout if timeout is None else timeout
        return call.park(self, None if timeout is None else max(timeout, 0))

    def abort(self, call: Call) -> None:
        self.broken = True
        self._fail_all()

    def reset(self, call: Call) -> None:
        self._fail_all()
        self.broken = False

    def _fail_all(self) -> None:
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.fail(threading.BrokenBarrierError())

    def withdraw(self, call: Call) -> None:
        self.waiters.remove(call)
        self.abort(call)

    def expire(self, call: Call) -> None:
        self.abort(call)


class Queue(Machine):
    """`queue.Queue`."""

    public = ("empty", "full", "get", "get_nowait", "join", "put", "put_nowait", "qsize", "task_done")

    def __init__(self, maxsize: int = 0) -> None:
        self.maxsize = maxsize
        self.items: deque[Any] = deque()
        self.getters: deque[Call] = deque()
        self.putters: deque[Call] = deque()  # the item is the call's state
        self.joiners: deque[Call] = deque()
        self.unfinished = 0

    def put(self, call: Call, item: Any, block: bool = True, timeout: float | None = None) -> Any:
        if block and timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        if not self.full(call):
            self._add(item)
            return None
        if not block or timeout == 0:
            raise queue.Full
        call.state = item
        self.putters.append(call)
        return call.park(self, timeout)

    def get(self, call: Call, block: bool = True, timeout: float | None = None) -> Any:
        if block and timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        if self.items:
            item = self.items.popleft()
            if self.putters:
                putter = self.putters.popleft()
                self._add(putter.state)
                putter.answer(None)
            return item
        if not block or timeout == 0:
            raise queue.Empty
        self.getters.append(call)
        return call.park(self, timeout)

    def _add(self, item: Any) -> None:
        self.unfinished += 1
        drop_unwanted(self.getters)
        if self.getters:  # then nothing lies here
            self.getters.popleft().answer(item)
        else:
            self.items.append(item)

    def put_nowait(self, call: Call, item: Any) -> Any:
        return self.put(call, item, block=False)

    def get_nowait(self, call: Call) -> Any:
        return self.get(call, block=False)

    def task_done(self, call: Call) -> None:
        if self.unfinished <= 0:
            raise ValueError("task_done() called too many times")
        self.unfinished -= 1
        while not self.unfinished and self.joiners:
            self.joiners.popleft().answer(None)

    def join(self, call: Call) -> Any:
        if not self.unfinished:
            return None
        self.joiners.append(call)
        return call.park(self, None)

    def qsize(self, call: Call) -> int:
        return len(self.items)

    def empty(self, call: Call) -> bool:
        return not self.items

    def full(self, call: Call) -> bool:
        return 0 < self.maxsize <= len(self.items)

    def withdraw(self, call: Call) -> None:
        for line in (self.getters, self.putters, self.joiners):
            if call in line:
                line.remove(call)

    def expire(self, call: Call) -> None:
        error = queue.Empty if call in self.getters else queue.Full
        self.withdraw(call)
        call.fail(error())


MACHINES = (Lock, RLock, Semaphore, BoundedSemaphore, Condition, Event, Barrier, Queue)

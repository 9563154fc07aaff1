"""The locks of a manager, as machines: nobody sleeps in the server for them.

Rule: a method that must wait parks its `Call` and returns PARKED; what ends the waiting answers it. All of it happens
in the server's one thread, so there is no lock in here. A call that is not wanted any more (its time is up, its client
has gone) is withdrawn, and what a client held is given back at the end of its connection.

Behaviour, messages and exceptions are those of `threading` and `queue`. In these a waiting that is over goes to who has
waited longest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Any, Protocol

__all__ = ["PARKED", "Acquirable", "BoundedSemaphore", "Call", "Condition", "Lock", "Machine", "RLock", "Semaphore"]
__all__ += ["drop_unwanted"]

PARKED = object()


class Client(Protocol):
    """The end of a connection: knows what its process holds."""

    held: set[Acquirable]


class Call:
    """One request: who asks, and how it is answered when that is not at once."""

    __slots__ = ("client", "deadline", "number", "owner", "place", "result", "saved", "server", "state")

    def __init__(self, server: Any, client: Any, number: int, thread: Hashable) -> None:
        self.server = server
        self.client = client
        self.number = number
        self.owner = (client, thread)
        self.place: Machine | None = None  # where it is parked
        self.deadline: float | None = None
        self.result: Any = True  # of an acquire that is granted later
        self.saved = 1  # how often an RLock will be held then
        self.state: Any = None  # the machine's

    def park(self, place: Machine, timeout: float | None) -> object:
        """Wait there; a timeout of None is for ever."""
        self.place = place
        self.server.park(self, timeout)
        return PARKED

    def wanted(self) -> bool:
        """Does its process live? One that has just been killed is not given what would be lost with it.

        If it does not, the call has been withdrawn when this returns.
        """
        return bool(self.server.hears(self.client))

    def answer(self, value: Any) -> None:
        """The waiting is over."""
        self.place = self.deadline = None
        self.server.answer(self, value)

    def fail(self, error: Exception) -> None:
        """The waiting is over, in vain."""
        self.place = self.deadline = None
        self.server.fail(self, error)


def drop_unwanted(line: deque[Call]) -> None:
    """See to it that the first in the line, if any, is one who lives."""
    while line and not line[0].wanted():
        pass  # `wanted` has taken it out


class Machine:
    """What all have in common. The methods that a client may call take the call first."""

    public: tuple[str, ...] = ()

    def withdraw(self, call: Call) -> None:
        """Nobody waits for this parked call any more."""
        raise LookupError(f"{call!r} is not parked here")

    def expire(self, call: Call) -> None:
        """Its time is up."""
        self.withdraw(call)
        call.answer(False)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of a manager>"


class Acquirable(Machine):
    """What is acquired and released: whoever waits longest gets it, without being able to lose it to another."""

    public = ("acquire", "release")

    def __init__(self) -> None:
        self.waiters: deque[Call] = deque()

    def take(self, owner: Any, count: int) -> bool:
        """Give it to this owner if it is free."""
        raise LookupError

    def give_up(self, client: Any) -> None:
        """What the client's process holds is free."""
        raise LookupError

    def acquire(self, call: Call, blocking: bool = True, timeout: float | None = None) -> Any:
        if timeout is not None and timeout != -1:
            if not blocking:
                raise ValueError("can't specify a timeout for a non-blocking call")
            if timeout < 0:
                raise ValueError("timeout value must be a non-negative number")
        if not self.waiters and self.take(call.owner, 1):
            return True
        if not blocking or timeout == 0:
            return False
        self.waiters.append(call)
        return call.park(self, None if timeout == -1 else timeout)

    def grant(self) -> None:
        """Let in who can be let in."""
        drop_unwanted(self.waiters)
        while self.waiters and self.take(self.waiters[0].owner, self.waiters[0].saved):
            call = self.waiters.popleft()
            call.answer(call.result)
            drop_unwanted(self.waiters)

    def withdraw(self, call: Call) -> None:
        self.waiters.remove(call)


class Lock(Acquirable):
    """`threading.Lock`: anybody may release it; freed when its holder's process ends."""

    def __init__(self) -> None:
        super().__init__()
        self.owner: Any = None
        self.count = 0

    def take(self, owner: Any, count: int) -> bool:
        if self.owner is not None:
            return False
        self._set(owner, count)
        return True

    def _set(self, owner: Any, count: int) -> None:
        self.owner, self.count = owner, count
        owner[0].held.add(self)

    def release(self, call: Call) -> None:
        if self.owner is None:
            raise RuntimeError("release unlocked lock")
        self.free()

    def free(self) -> int:
        """Whoever holds it; returns how often."""
        count = self.count
        self.owner[0].held.discard(self)
        self.owner, self.count = None, 0
        self.grant()
        return count

    def held_by(self, owner: Any) -> bool:
        """As `threading.Condition` asks it: a plain lock is held if anybody holds it."""
        return self.owner is not None

    def give_up(self, client: Any) -> None:
        if self.owner is not None and self.owner[0] is client:
            self.free()

    def __repr__(self) -> str:
        return f"<{'unlocked' if self.owner is None else 'locked'} {type(self).__name__} of a manager>"


class RLock(Lock):
    """`threading.RLock`: a thread of a client may acquire it again."""

    def acquire(self, call: Call, blocking: bool = True, timeout: float | None = None) -> Any:
        if self.owner == call.owner:
            self.count += 1
            return True
        return super().acquire(call, blocking, timeout)

    def release(self, call: Call) -> None:
        if self.owner != call.owner:
            raise RuntimeError("cannot release un-acquired lock")
        self.count -= 1
        if not self.count:
            self.free()

    def held_by(self, owner: Any) -> bool:
        return bool(self.owner == owner)


class Semaphore(Acquirable):
    """`threading.Semaphore`.

    What an ended client has acquired and not released is given back, though never above the initial value: a semaphore
    that starts low and is released by others counts events, and those have happened.
    """

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        super().__init__()
        self.value = self.initial = value
        self.taken: dict[Any, int] = {}

    def take(self, owner: Any, count: int) -> bool:
        if self.value <= 0:
            return False
        self.value -= 1
        client = owner[0]
        self.taken[client] = self.taken.get(client, 0) + 1
        client.held.add(self)
        return True

    def release(self, call: Call, n: int = 1) -> None:
        if n < 1:
            raise ValueError("n must be one or more")
        self.value += n
        left = self.taken.pop(call.client, 0) - n
        if left > 0:
            self.taken[call.client] = left
        else:
            call.client.held.discard(self)
        self.grant()

    def give_up(self, client: Any) -> None:
        self.value += max(0, min(self.taken.pop(client, 0), self.initial - self.value))
        self.grant()


class BoundedSemaphore(Semaphore):
    """`threading.BoundedSemaphore`."""

    def release(self, call: Call, n: int = 1) -> None:
        if n >= 1 and self.value + n > self.initial:
            raise ValueError("Semaphore released too many times")
        super().release(call, n)


class Condition(Machine):
    """`threading.Condition`, over a manager's Lock or RLock."""

    public = ("acquire", "release", "wait", "notify", "notify_all")

    def __init__(self, lock: Lock | None = None) -> None:
        if lock is not None and not isinstance(lock, Lock):
            raise TypeError(f"a manager's Condition needs a Lock or RLock of the same manager, not {lock!r}")
        self.lock = RLock() if lock is None else lock
        self.waiters: deque[Call] = deque()

    def acquire(self, call: Call, blocking: bool = True, timeout: float | None = None) -> Any:
        return self.lock.acquire(call, blocking, timeout)

    def release(self, call: Call) -> None:
        self.lock.release(call)

    def wait(self, call: Call, timeout: float | None = None) -> Any:
        if not self.lock.held_by(call.owner):
            raise RuntimeError("cannot wait on un-acquired lock")
        self.waiters.append(call)
        call.park(self, None if timeout is None else max(timeout, 0))
        call.saved = self.lock.free()
        return PARKED

    def notify(self, call: Call, n: int = 1) -> None:
        if not self.lock.held_by(call.owner):
            raise RuntimeError("cannot notify on un-acquired lock")
        for _ in range(n):
            drop_unwanted(self.waiters)
            if not self.waiters:
                break
            self._wake(self.waiters.popleft(), result=True)

    def notify_all(self, call: Call) -> None:
        self.notify(call, len(self.waiters))

    def _wake(self, call: Call, *, result: bool) -> None:
        """Now it waits for the lock, without a limit."""
        call.result, call.place, call.deadline = result, self.lock, None
        self.lock.waiters.append(call)
        self.lock.grant()

    def withdraw(self, call: Call) -> None:
        self.waiters.remove(call)

    def expire(self, call: Call) -> None:
        self.withdraw(call)
        self._wake(call, result=False)

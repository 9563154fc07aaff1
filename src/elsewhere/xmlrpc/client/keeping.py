"""The connections that a `Transport` keeps: each call leases one, so that threads do not disturb each other."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from typing import Any

__all__ = ["Kept", "Slot", "gone_cold"]

_MOST = 32  # connections that rest; more than that many threads at once are rare, and may connect again


class Slot:
    """A connection, and what a call that leases it has got to.

    Attributes:
        connection: the host it is to, and itself; or two None.
        headers: that its host asks for, which no other may see.
        reused: the call under way goes over a connection that was open before.
        sent: all of that call was handed to the system.
        era: of `Kept`, when it was leased.
        outer: what its thread had leased before: a call in the middle of another.
    """

    __slots__ = ("connection", "era", "headers", "outer", "reused", "sent")

    def __init__(self) -> None:
        self.era = 0
        self.outer: Slot | None = None
        self.connection: tuple[Any, Any] = (None, None)
        self.headers: list[tuple[str, str]] = []
        self.reused = self.sent = False

    def close(self) -> None:
        connection, self.connection = self.connection[1], (None, None)
        if connection is not None:
            connection.close()


class Kept:
    """All connections of a transport.

    Outside of a lease, there is one slot for all threads: a subclass that sends by itself has what the original has.
    """

    def __init__(self) -> None:
        self._idle: list[Slot] = []
        self._mine = threading.local()
        self._era = 0  # how often all were closed
        self._pid = os.getpid()

    @property
    def slot(self) -> Slot:
        """The one that this thread has leased; else the one that was used last."""
        mine: Slot | None = getattr(self._mine, "slot", None)
        if mine is not None:
            return mine
        with contextlib.suppress(IndexError):
            return self._idle[-1]
        slot = Slot()
        self._idle.append(slot)
        return slot

    def lease(self, host: object) -> Slot:
        """A slot that is this thread's own until `give_back`: with a connection to this host, if one rests."""
        if self._pid != os.getpid():  # the connections are the parent's
            self._pid = os.getpid()
            self.close()
        slot = self._take(host)
        slot.era = self._era
        slot.outer = getattr(self._mine, "slot", None)
        self._mine.slot = slot
        return slot

    def give_back(self, slot: Slot) -> None:
        """The call is over; the connection rests, or is closed if all were closed meanwhile."""
        self._mine.slot = slot.outer
        if slot.connection[1] is not None:
            self._idle.append(slot)
            self._shrink(_MOST if slot.era == self._era else 0)

    def _take(self, host: object) -> Slot:
        for slot in reversed(self._idle.copy()):
            if slot.connection[0] == host:
                with contextlib.suppress(ValueError):  # another thread has just taken it
                    self._idle.remove(slot)
                    return slot
        return Slot()

    def _shrink(self, most: int) -> None:
        while len(self._idle) > most:
            with contextlib.suppress(IndexError):
                self._idle.pop(0).close()

    def close(self) -> None:
        """Close this thread's, if it has leased one; else all, those under way as soon as their calls are over."""
        mine: Slot | None = getattr(self._mine, "slot", None)
        if mine is not None:
            mine.close()
        else:
            self._era += 1
            self._shrink(0)


def gone_cold(connection: Any) -> bool:
    """Has the far side closed it, or sent what nobody asked for? Then nothing more can go over it."""
    sock = getattr(connection, "sock", None)
    if sock is None:
        return False
    try:
        if not hasattr(select, "poll"):
            return bool(select.select([sock], [], [], 0)[0])
        watch = select.poll()
        watch.register(sock, select.POLLIN)
        return bool(watch.poll(0))
    except (OSError, ValueError):  # it is closed
        return True
    except TypeError:  # a program's own, which is no socket of the system's
        return False

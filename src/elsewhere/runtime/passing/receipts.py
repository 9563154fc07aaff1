"""What was pickled and has not been opened yet: its descriptor stays, though nobody here works with it any more.

Rule: whoever sends something must be able to forget it. ``pool.submit(f, Queue())`` and a function that returns a new
shared array both drop it before the other side has opened it. So each pickling has a *ticket*, and a ticket keeps the
descriptor until the other side has written its number into our pipe: that is the receipt.

::

    sender                                              receiver
    ticket(descriptor) ── handle, with the ticket ────> opens it by /proc/<pid>/fd/<n>
    settle: the descriptor is let go of <── 8 bytes ─── give: into the pipe, by /proc/<pid>/fd/<m>

A ticket is good for one opening. Who lets the same pickle be loaded by several keeps the object as long. What is never
opened is given up when memory gets short, or when descriptors do and no receipt comes: the oldest first. And a minute
after a later pickle of the same descriptor was opened: what is thrown away is mostly followed by what is used. Who
knows that it throws a pickle away takes its tickets back (`elsewhere.runtime.issued`).

The pipe is read by whoever pickles or lets go of something, and by a thread as long as only a receipt can free what is
kept, or so many are out that the pipe could get full: a receipt that does not fit is lost.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import time
from _thread import start_new_thread
from collections import deque

from elsewhere.runtime import issued
from elsewhere.runtime.passing.descriptors import Descriptor
from elsewhere.runtime.passing.leaving import wait_at_exit
from elsewhere.runtime.passing.looking import Looking, limit
from elsewhere.runtime.passing.mailbox import RECEIPT, Mailbox, Ticket, deliver, place

__all__ = ["Ticket", "forget", "give", "limit", "orphaned", "settle", "ticket", "wait"]

MOST = 1 << 16  # tickets, of objects that live as well
PAUSE = 0.5  # seconds without a receipt after which none is expected
GRACE = 60.0  # seconds; calls of a pool begin almost in the order in which they were pickled
PATIENCE = 5.0  # seconds within which a worker's last results are opened, or it leaves all the same
SHARE = 20  # of so many parts of its time the thread spends at most one in looking through all tickets


def _begin_to_count() -> itertools.count[int]:
    """From anywhere: a receipt for another process, which had our pid before us, is none of ours then."""
    return itertools.count(int.from_bytes(os.urandom(6), "little"))


_looking = Looking(lambda: _look())  # noqa: PLW0108 - which is defined below
_serials = _begin_to_count()
_waiting: dict[int, Descriptor] = {}  # by serial; the oldest is the first
_pipe: Mailbox | None = None
_orphans = False  # some descriptor in there may be an orphan that nobody watches
_watched: Mailbox | None = None  # by a thread, which alone reads it
_late: deque[Ticket] = deque()  # receipts that are still to be written to others
_crowded = 16  # how many tickets there are when it is looked whether they keep too much


def ticket(descriptor: Descriptor) -> Ticket:
    """For one pickling: keeps the descriptor until the receipt is in.

    Raises:
        OSError: no descriptor is left for the pipe.
    """
    pid, where = place()
    with _looking.lock:
        pipe = _pipe
        if pipe is None or not pipe.whole():
            pipe = _begin()
        serial = next(_serials)
        given = Ticket(pid, where, serial, pipe.writer, pipe.inode)
        _waiting[serial] = descriptor
        descriptor.sent = time.monotonic()
    issued.note(functools.partial(_withdraw, serial))
    settle()
    if len(_waiting) >= _crowded:
        _make_room()
    return given


def give(ticket: Ticket) -> None:
    """Let the sender know that what it has sent was opened; nothing, if it is gone."""
    if ticket[:2] == place():  # perhaps a process that had our number: its serials are not ours
        with _looking.lock:
            _opened(ticket.serial)
            _wake()
        settle()
        return
    _late.append(ticket)
    _deliver()


def _deliver() -> None:
    """Write what is to be written; what cannot be for want of descriptors is tried again when some were let go of."""
    while _late:
        try:
            ticket = _late[0]
        except IndexError:  # another thread does the same
            return
        if not deliver(ticket):
            return
        with contextlib.suppress(ValueError):  # the other thread; that a receipt comes twice does not matter
            _late.remove(ticket)


def orphaned(user: object) -> None:
    """Nobody here works with some descriptor any more; safe in the middle of anything."""
    global _orphans
    if _late:
        _deliver()
    if _pipe is not None:
        _orphans = True
        settle()


def settle() -> None:
    """Let go of what was opened; safe in the middle of anything."""
    _looking.settle()


def _withdraw(serial: int) -> None:
    """That pickle is thrown away."""
    if _waiting.pop(serial, None) is not None:
        _wake()
        settle()


def forget() -> None:
    """Give up what nobody has opened and nobody here works with: memory is short."""
    _forget(set(_orphaned()))


def _forget(descriptors: set[Descriptor]) -> None:
    with _looking.lock:
        for serial, descriptor in list(_waiting.items()):
            if descriptor in descriptors and descriptor.orphan:  # else it was opened here just now
                _waiting.pop(serial, None)
        _wake()
    descriptors.clear()  # the last references but one
    settle()


def wait(patience: float = PATIENCE) -> None:
    """Return when everything that was sent lately has been opened, or so many seconds after it was sent."""
    settle()
    while (pipe := _pipe) is not None:
        sent = [own.sent for serial, own in list(_waiting.items()) if serial > own.opened]
        left = max(sent) + patience - time.monotonic() if sent else 0.0
        if left <= 0:
            return
        pipe.poll(min(left, 0.02))
        settle()


def _make_room() -> None:
    """Wait for receipts while too many descriptors are kept for others; when none comes, give up the oldest."""
    global _crowded
    most, patience = limit(), time.monotonic() + PAUSE
    while (found := len(_orphaned())) >= most:
        before = len(_waiting)
        if (pipe := _pipe) is not None:
            pipe.poll(0.02)
            settle()
        if len(_waiting) < before:
            patience = time.monotonic() + PAUSE
        elif time.monotonic() > patience:
            _forget(set(list(_orphaned())[: found // 4 + 1]))
    with _looking.lock:
        for serial in list(_waiting)[: max(0, len(_waiting) - MOST)]:
            _waiting.pop(serial, None)
    _crowded = len(_waiting) + most // 8


def _orphaned() -> dict[Descriptor, None]:
    """Those that only tickets keep, the oldest first."""
    return dict.fromkeys(descriptor for descriptor in list(_waiting.values()) if descriptor.orphan)


def _begin() -> Mailbox:
    global _pipe
    wait_at_exit(wait)
    if _pipe is not None:
        _lose(_pipe)
    try:
        pipe = Mailbox()
    except OSError as error:
        raise OSError(
            error.errno, f"no descriptor is left to send something: {error}. Close some, or raise the limit (ulimit -n)"
        ) from None
    if _pipe is None:
        _pipe = pipe
    else:  # what ran in between has made one
        pipe.close()
    return _pipe


def _look() -> None:
    """Read receipts; with the lock."""
    global _pipe, _orphans, _watched
    pipe = _pipe
    if pipe is None or _watched is pipe:
        return
    _read(pipe)
    if _pipe is not pipe:
        return
    if not _waiting:
        _pipe = None
        pipe.close()
        _orphans = False
    elif _orphans or len(_waiting) > pipe.most:
        if _needs_watch(pipe):
            with contextlib.suppress(RuntimeError):  # the interpreter is about to end, and so is all this
                # Not a `threading.Thread`, whose start takes locks that this thread may have.
                start_new_thread(_watch, (pipe,))
                _watched = pipe
        _orphans = False


def _watch(pipe: Mailbox) -> None:
    """A thread, as long as there is something that only a receipt can free; meanwhile it alone reads them."""
    global _watched
    due = 0.0
    while True:
        with _looking.lock:
            if _watched is not pipe:
                return
            _read(pipe)
            begun = time.monotonic()
            pause = due - begun
            if begun >= due:
                pause = _give_up(begun)
                if not _needs_watch(pipe):
                    _watched = None
                    break
                ended = time.monotonic()
                due = ended + SHARE * (ended - begun)  # thousands may be waiting, each answered alone
        pipe.poll(pause)
    settle()


def _read(pipe: Mailbox) -> None:
    """Take the receipts that have come."""
    if not pipe.read():
        _lose(pipe)
    while pipe.arrived:  # an exception of a signal's handler loses none
        _opened(pipe.arrived[0])
        pipe.arrived.popleft()


def _lose(pipe: Mailbox) -> None:
    """Somebody has closed the pipe, and what was on its way with it: no receipt can come any more."""
    global _pipe
    if _pipe is pipe:
        _pipe = None
        _waiting.clear()
        pipe.close()


def _opened(serial: int) -> None:
    descriptor = _waiting.pop(serial, None)
    if descriptor is not None and serial > descriptor.opened:
        descriptor.opened, descriptor.when = serial, time.monotonic()


def _give_up(now: float) -> float:
    """Give up orphans of which a later pickle was opened long ago; returns seconds until the next is late, perhaps."""
    next_due = now + GRACE  # of what becomes an orphan meanwhile, nobody tells the thread
    for serial, descriptor in list(_waiting.items()):
        if serial < descriptor.opened and descriptor.orphan:
            due = descriptor.when + GRACE
            if due <= now:
                _waiting.pop(serial, None)
            else:
                next_due = min(next_due, due)
    return next_due - now


def _needs_watch(pipe: Mailbox) -> bool:
    return len(_waiting) > pipe.most or any(descriptor.orphan for descriptor in list(_waiting.values()))


def _wake() -> None:
    """Let the thread look: what it waits for has gone in another way."""
    if _watched is not None:
        with contextlib.suppress(OSError):  # full: it is awake
            os.write(_watched.writer, bytes(RECEIPT))


def _forked() -> None:
    """In a forked copy: what the parent has sent is the parent's to keep."""
    global _pipe, _orphans, _watched, _serials
    _looking.forked()
    _orphans = False
    _watched = None
    _serials = _begin_to_count()
    pipe, _pipe = _pipe, None
    if pipe is not None:
        pipe.close()
    _waiting.clear()
    _late.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

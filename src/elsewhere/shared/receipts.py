"""What was pickled and has not been opened yet: its memory stays, though nobody here looks at it any more.

Rule: whoever sends a block must be able to forget it. ``pool.submit(f, shared.copy_of(x))`` and a function that returns
a new shared array both drop it before the other side has opened it. So each pickling has a *ticket*, and a ticket keeps
the block's descriptor until the other side has written its number into our pipe: that is the receipt.

::

    sender                                              receiver
    ticket(descriptor) ── handle, with the ticket ────> opens the block by /proc/<pid>/fd/<n>
    settle: the descriptor is let go of <── 8 bytes ─── give: into the pipe, by /proc/<pid>/fd/<m>

A ticket is good for one opening. Who lets the same pickle be loaded by several keeps the array as long. What is never
opened is given up when memory gets short, or when descriptors do and no receipt comes: the oldest first. And a minute
after a later pickle of the same block was opened: what is thrown away is mostly followed by what is used, as when a
pool pickles by value what plain pickle cannot.

Blocks die in any thread at any moment, also within a collection of garbage that began in here: so `settle` never waits
for the lock. Who has it looks again after letting go of it. What runs in such a moment, or a signal's handler, may also
pickle: hence the recursive lock.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import select
import stat
import sys
import threading
import time
import weakref
from _thread import start_new_thread
from array import array
from typing import Any, NamedTuple

__all__ = ["Descriptor", "Ticket", "forget", "give", "limit", "orphaned", "settle", "ticket", "wait"]

MOST = 1 << 16  # tickets, of blocks that live as well
PAUSE = 0.5  # seconds without a receipt after which none is expected
RECEIPT = 8  # bytes; far below what a pipe takes in one piece
GRACE = 60.0  # seconds; calls of a pool begin almost in the order in which they were pickled
PATIENCE = 5.0  # seconds within which a worker's last results are opened, or it leaves all the same


class Ticket(NamedTuple):
    """What a handle says of its receipt: which number to write, into which pipe of the sender's."""

    serial: int
    fd: int
    inode: int


class Descriptor:
    """An open file of this process; closed with the last reference.

    Attributes:
        fd: its number; -1 if it is lost.
        inode: what it is.
        block: who looks at its memory here.
        opened: the last serial whose receipt has come.
        when: and when that was.
        sent: when it was last pickled.
    """

    __slots__ = ("__weakref__", "block", "fd", "inode", "opened", "sent", "when")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.inode = os.fstat(fd).st_ino
        self.block: weakref.ref[Any] | None = None
        self.opened = 0
        self.when = self.sent = 0.0
        # Not `__del__`, during which others can still get the object by a weak reference.
        closer = _Closer(self, _close)
        closer.fd, closer.inode = fd, self.inode
        _closers.add(closer)

    @property
    def orphan(self) -> bool:
        """Nobody here looks at its memory any more."""
        return self.block is None or self.block() is None


class _Closer(weakref.ref[Descriptor]):
    __slots__ = ("fd", "inode")
    fd: int
    inode: int


_closers: set[_Closer] = set()


def _close(closer: _Closer) -> None:
    _closers.discard(closer)
    # Somebody may have closed the number behind our back, as daemons do, and it may be another file by now.
    with contextlib.suppress(OSError):
        if os.fstat(closer.fd).st_ino == closer.inode:
            os.close(closer.fd)


class _Pipe:
    """Where receipts arrive."""

    __slots__ = ("inode", "reader", "writer")

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.inode = os.fstat(self.writer).st_ino

    def read(self) -> array[int]:
        """The receipts that have arrived."""
        found = array("Q")
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.reader, RECEIPT << 9):
                found.frombytes(data)
        return found

    def close(self) -> None:
        for fd in (self.reader, self.writer):
            with contextlib.suppress(OSError):
                os.close(fd)


_lock: Any = threading.RLock()
_again = False  # somebody wanted to look while the lock was taken
_serials = itertools.count(1)
_waiting: dict[int, Descriptor] = {}  # by serial; the oldest is the first
_pipe: _Pipe | None = None
_orphans = False  # some descriptor in there may be an orphan that nobody watches
_watched = False
_crowded = 16  # how many tickets there are when it is looked whether they keep too much
_registered = 0  # the process that waits at its exit


def ticket(descriptor: Descriptor) -> Ticket:
    """For one pickling of a block: keeps its descriptor until the receipt is in."""
    with _lock:
        pipe = _pipe or _begin()
        serial = next(_serials)
        given = Ticket(serial, pipe.writer, pipe.inode)
        _waiting[serial] = descriptor
        descriptor.sent = time.monotonic()
    settle()
    if len(_waiting) >= _crowded:
        _make_room()
    return given


def give(pid: int, ticket: Ticket) -> None:
    """Let the sender know that its block was opened; nothing, if it is gone."""
    if pid == os.getpid():
        with _lock:
            _opened(ticket.serial)
            _wake()
        settle()
        return
    path = f"/proc/{pid:d}/fd/{ticket.fd:d}"
    with contextlib.suppress(OSError):  # it has ended, or has all receipts and has closed the pipe
        if not _is_pipe(os.stat(path), ticket):
            return
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if _is_pipe(os.fstat(fd), ticket):
                os.write(fd, ticket.serial.to_bytes(RECEIPT, "little"))
        finally:
            os.close(fd)


def orphaned(block: object) -> None:
    """Nobody here looks at some block any more; safe in the middle of anything."""
    global _orphans
    if _pipe is not None:
        _orphans = True
        settle()


def settle() -> None:
    """Let go of what was opened; safe in the middle of anything."""
    global _again
    _again = True
    while _again and not _lock._is_owned() and _lock.acquire(blocking=False):
        try:
            _again = False
            _look()
        finally:
            _lock.release()


def forget() -> None:
    """Give up what nobody has opened and nobody here looks at: memory is short."""
    _forget(set(_orphaned()))


def _forget(descriptors: set[Descriptor]) -> None:
    with _lock:
        for serial in [serial for serial, descriptor in _waiting.items() if descriptor in descriptors]:
            del _waiting[serial]
        _wake()
    settle()


def wait(patience: float = PATIENCE) -> None:
    """Return when everything that was sent lately has been opened, or so many seconds after it was sent."""
    settle()
    while (pipe := _pipe) is not None:
        sent = [descriptor.sent for serial, descriptor in list(_waiting.items()) if serial > descriptor.opened]
        left = max(sent) + patience - time.monotonic() if sent else 0.0
        if left <= 0:
            return
        poll = select.poll()
        poll.register(pipe.reader, select.POLLIN)
        # Whoever watches as well may read it before us: then there is nothing to wake up for.
        poll.poll(min(left, 0.02) * 1000)
        settle()


def _make_room() -> None:
    """Wait for receipts while too many descriptors are kept for others; when none comes, give up the oldest."""
    global _crowded
    most, patience = limit(), time.monotonic() + PAUSE
    while (found := len(_orphaned())) >= most:
        before = len(_waiting)
        if (pipe := _pipe) is not None:
            poll = select.poll()
            poll.register(pipe.reader, select.POLLIN)
            poll.poll(20)
            settle()
        if len(_waiting) < before:
            patience = time.monotonic() + PAUSE
        elif time.monotonic() > patience:
            _forget(set(list(_orphaned())[: found // 4 + 1]))
    with _lock:
        for serial in list(_waiting)[: max(0, len(_waiting) - MOST)]:
            _waiting.pop(serial, None)
    _crowded = len(_waiting) + most // 8


def _orphaned() -> dict[Descriptor, None]:
    """Those that only tickets keep, the oldest first."""
    return dict.fromkeys(descriptor for descriptor in list(_waiting.values()) if descriptor.orphan)


def _begin() -> _Pipe:
    global _pipe
    _wait_at_exit()
    pipe = _Pipe()
    if _pipe is None:
        _pipe = pipe
    else:  # what ran in between has made one
        pipe.close()
    return _pipe


def _look() -> None:
    """Read receipts; with the lock."""
    global _pipe, _orphans, _watched
    if _pipe is None or _watched:
        return
    _read(_pipe)
    if not _waiting:
        pipe, _pipe = _pipe, None
        pipe.close()
        _orphans = False
    elif _orphans:
        _orphans = False
        if _has_orphans():
            with contextlib.suppress(RuntimeError):  # the interpreter is about to end, and so is all this
                # Not a `threading.Thread`, whose start takes locks that this thread may have.
                start_new_thread(_watch, (_pipe,))
                _watched = True


def _watch(pipe: _Pipe) -> None:
    """A thread, as long as there is something that only a receipt can free; meanwhile it alone reads them."""
    global _watched
    poll = select.poll()
    poll.register(pipe.reader, select.POLLIN)
    while True:
        with _lock:
            _read(pipe)
            pause = _give_up()
            _watched = _has_orphans()
            if not _watched:
                break
        poll.poll(pause)
    settle()


def _read(pipe: _Pipe) -> None:
    """Take the receipts that have come."""
    for serial in pipe.read():
        _opened(serial)


def _opened(serial: int) -> None:
    descriptor = _waiting.pop(serial, None)
    if descriptor is not None and serial > descriptor.opened:
        descriptor.opened, descriptor.when = serial, time.monotonic()


def _give_up() -> float | None:
    """Give up orphans of which a later pickle was opened long ago; returns when to look again, in milliseconds."""
    now = time.monotonic()
    late = {serial: d.when + GRACE for serial, d in _waiting.items() if d.orphan and serial < d.opened}
    for serial, due in late.items():
        if due <= now:
            del _waiting[serial]
    left = [due - now for due in late.values() if due > now]
    return 1000 * min(left) + 1 if left else None


def _has_orphans() -> bool:
    return any(descriptor.orphan for descriptor in _waiting.values())


def _wake() -> None:
    """Let the thread look: what it waits for has gone in another way."""
    if _watched and _pipe is not None:
        with contextlib.suppress(BlockingIOError):  # full: it is awake
            os.write(_pipe.writer, bytes(RECEIPT))


def _wait_at_exit() -> None:
    """Once in each process: a worker clears what was registered before it was forked."""
    global _registered
    if _registered != os.getpid():
        _registered = os.getpid()
        atexit.register(_leave)


def _leave() -> None:
    """A worker's results may name memory that only it has: whoever waits for them opens it now."""
    namespace = sys.modules.get("elsewhere.runtime.packing.namespace")
    if namespace is not None and namespace.current() is not None:
        wait()


def _is_pipe(found: os.stat_result, ticket: Ticket) -> bool:
    return stat.S_ISFIFO(found.st_mode) and found.st_ino == ticket.inode


def limit() -> int:
    """How many descriptors may be kept for others: a quarter of what the process may have."""
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 4000 if soft == resource.RLIM_INFINITY else max(16, min(4000, soft // 4))


def _forked() -> None:
    """In a forked copy: what the parent has sent is the parent's to keep."""
    global _lock, _again, _pipe, _orphans, _watched
    _lock = threading.RLock()
    _again = _orphans = _watched = False
    pipe, _pipe = _pipe, None
    if pipe is not None:
        pipe.close()
    _waiting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

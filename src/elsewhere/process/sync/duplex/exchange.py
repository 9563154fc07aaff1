"""Sockets on their way to another process: from whoever pickled one to whoever loads that.

Rule: whoever sends an end must be able to forget it. So each pickling has a *ticket*, and an end that is closed here
stays open until its tickets were used. Sockets cannot be opened through ``/proc/<pid>/fd``, and `pidfd_getfd` is for
debuggers and parents only (Yama), so there is a thread that hands them out, as long as an end that was ever pickled is
open or on its way. It listens on an abstract address, which is in no folder and is gone with its process.

::

    sender                                                      receiver
    offer: a parcel, a ticket ── handle: address, token, … ───> fetch
    thread: whose user is it? <── connect, token and ticket ─── asks
    the ticket is used up     ─── SCM_RIGHTS ─────────────────> looks whether it is that socket

As long as the end is open here a pickle can be loaded any number of times; once it is closed, once. What is never
loaded is given up when descriptors get short, the oldest first; and a minute after a later pickle of the same end was
loaded.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import select
import signal
import socket
import stat
import struct
import time
from _thread import start_new_thread
from collections import deque

from elsewhere.errors import ProtocolError
from elsewhere.process.sync.duplex import wire
from elsewhere.process.sync.duplex.wire import ANSWER, REQUEST, Offer, identity
from elsewhere.runtime import issued
from elsewhere.runtime.passing.leaving import wait_at_exit
from elsewhere.runtime.passing.looking import Looking, limit

__all__ = ["Parcel", "fetch", "leave", "offer", "wait"]


GRACE = 60.0  # seconds; calls of a pool begin almost in the order in which they were pickled
PAUSE = 0.5  # seconds in which no end is fetched, after which none is expected to be
PATIENCE = 5.0  # seconds within which a worker's last ends are fetched, or it leaves all the same
BACKLOG = 4096  # processes that ask at one time; the system may allow fewer, and the others wait
CREDENTIALS = struct.Struct("=3i")  # pid, uid, gid: what the kernel says of who asks


class Parcel:
    """One end of this process that was pickled.

    Attributes:
        fd: its descriptor; the end's own until that is closed, then kept here.
        token: its name.
        identity: device and inode of the socket.
        pending: the serials of pickles that were not loaded yet.
        left: the end is closed here.
        opened: the last serial that was loaded.
        when: and when that was.
    """

    __slots__ = ("fd", "identity", "left", "opened", "pending", "token", "when")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.token = os.urandom(16)
        self.identity = identity(fd)
        self.pending: dict[int, None] = {}
        self.left = False
        self.opened = 0
        self.when = 0.0

    def close(self) -> None:
        """Close the descriptor, unless somebody has closed it behind our back and the number is another file's."""
        with contextlib.suppress(OSError):
            if identity(self.fd) == self.identity:
                os.close(self.fd)


class _Office:
    """Where processes ask."""

    __slots__ = ("address", "listener")

    def __init__(self) -> None:
        self.address = b"\0elsewhere-" + os.urandom(16).hex().encode()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self.listener.bind(self.address)
        self.listener.listen(BACKLOG)


_looking = Looking(lambda: _look())  # noqa: PLW0108 - which is defined below
_serials = itertools.count(1)
_parcels: dict[bytes, Parcel] = {}  # by token, the oldest first
_leaving: deque[Parcel] = deque()  # ends that were closed and not looked at yet
_office: _Office | None = None


# ---- the sender ----------------------------------------------------------------------------------------------------


def offer(parcel: Parcel | None, fd: int) -> tuple[Parcel, Offer]:
    """For one pickling of an end: what its pickle says. Takes its parcel, or makes one.

    Raises:
        OSError: the process has too many files open.
    """
    if len(_parcels) >= limit():
        _make_room()
    wait_at_exit(wait)
    with _looking.lock:
        if parcel is None or parcel.token not in _parcels:  # or it was made in the parent, of which this is a fork
            parcel = Parcel(fd)
        office = _office or _open_office()
        serial = next(_serials)
        parcel.pending[serial] = None
        _parcels[parcel.token] = parcel
    settle()
    found = parcel
    issued.note(lambda: _take_back(found, serial))
    return parcel, Offer(os.getpid(), office.address, parcel.token, serial, *parcel.identity)


def leave(parcel: Parcel, fd: int) -> None:
    """The end is closed here, and its descriptor the parcel's; safe in the middle of anything."""
    if _parcels.get(parcel.token) is not parcel:  # a copy of the parent's
        os.close(fd)
        return
    _leaving.append(parcel)
    settle()


def settle() -> None:
    """Let go of what nobody can ask for any more; safe in the middle of anything."""
    _looking.settle()


def wait(patience: float = PATIENCE) -> None:
    """Return when everything that was pickled has been loaded, or after so many seconds."""
    until = time.monotonic() + patience
    while any(serial > parcel.opened for parcel in list(_parcels.values()) for serial in list(parcel.pending)):
        if time.monotonic() > until:
            return
        time.sleep(0.005)


def _take_back(parcel: Parcel, serial: int) -> None:
    """That pickle is thrown away."""
    parcel.pending.pop(serial, None)
    if parcel.left:
        _leaving.append(parcel)
        settle()


def _look() -> None:
    """Drop the ends that are closed here and that nobody is to fetch; with the lock."""
    global _office
    while _leaving:
        parcel = _leaving.popleft()
        parcel.left = True
        if not parcel.pending and _parcels.get(parcel.token) is parcel:
            parcel.close()
            del _parcels[parcel.token]
    office = _office
    if office is not None and not _parcels:
        _office = None
        office.listener.shutdown(socket.SHUT_RDWR)  # the thread sees it, and closes


def _make_room() -> None:
    """Wait for others to fetch while too many ends are kept for them; when none does, give up the oldest."""
    most, patience = limit(), time.monotonic() + PAUSE
    before = len(_kept())
    while (now := len(kept := _kept())) >= most:
        if now < before:
            before, patience = now, time.monotonic() + PAUSE
        elif time.monotonic() > patience:
            with _looking.lock:
                for parcel in kept[: now // 4 + 1]:
                    parcel.pending.clear()
                    _leaving.append(parcel)
            settle()
            return
        time.sleep(0.005)


def _kept() -> list[Parcel]:
    """Those that are closed here, the oldest first."""
    return [parcel for parcel in list(_parcels.values()) if parcel.left]


def _open_office() -> _Office:
    global _office
    office = _Office()
    try:
        # Not a `threading.Thread`, whose start waits for locks that this thread may have.
        start_new_thread(_attend, (office,))
    except RuntimeError:  # the interpreter is about to end
        office.listener.close()
        raise
    _office = office
    return office


# ---- the thread ----------------------------------------------------------------------------------------------------


def _attend(office: _Office) -> None:
    """Hand out sockets until there are none that anybody may ask for."""
    global _office
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are to wake those who wait for them
    poll = select.poll()
    poll.register(office.listener, select.POLLIN)
    guests: dict[int, socket.socket] = {}
    try:
        while True:
            with _looking.lock:
                pause = _give_up()
            settle()
            if _office is not office:
                return
            for fd, _ in poll.poll(pause):
                if fd == office.listener.fileno():
                    _greet(office.listener, poll, guests)
                else:
                    poll.unregister(fd)
                    with guests.pop(fd) as guest:
                        _serve(guest)
    finally:
        for guest in guests.values():
            guest.close()
        office.listener.close()
        if _office is office:  # an error in here: the next pickle opens another
            _office = None


def _greet(listener: socket.socket, poll: select.poll, guests: dict[int, socket.socket]) -> None:
    try:
        guest, _ = listener.accept()
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            time.sleep(0.01)  # until there is a descriptor again; who asks waits so long
        return
    credentials = guest.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    if CREDENTIALS.unpack(credentials)[1] != os.geteuid():
        guest.close()
        return
    guest.setblocking(False)
    guests[guest.fileno()] = guest
    poll.register(guest, select.POLLIN)


def _serve(guest: socket.socket) -> None:
    """Answer one request; whoever asked may have died meanwhile."""
    with contextlib.suppress(OSError):
        request = guest.recv(REQUEST.size)
        if len(request) != REQUEST.size:
            return
        token, serial = REQUEST.unpack(request)
        with _looking.lock:  # the descriptor is not copied, nor may a fork come in between
            parcel = _found(token, serial)
            if parcel is None:
                guest.send(ANSWER.pack(errno.ENOENT))
                return
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("@i", parcel.fd))
            _used(parcel, serial)
            try:
                guest.sendmsg([ANSWER.pack(0)], [rights])
            except OSError as error:
                guest.send(ANSWER.pack(error.errno or errno.EIO))


def _found(token: bytes, serial: int) -> Parcel | None:
    """The end that this pickle may be loaded from; with the lock."""
    parcel = _parcels.get(token)
    if parcel is None or (parcel.left and serial not in parcel.pending):
        return None
    with contextlib.suppress(OSError):  # somebody has closed it behind our back
        if identity(parcel.fd) == parcel.identity:
            return parcel
    return None


def _used(parcel: Parcel, serial: int) -> None:
    """That pickle is loaded."""
    parcel.pending.pop(serial, None)
    if serial > parcel.opened:
        parcel.opened, parcel.when = serial, time.monotonic()
    if parcel.left:
        _leaving.append(parcel)


def _give_up() -> float | None:
    """Give up pickles of which a later one was loaded long ago; returns when to look again, in milliseconds."""
    now, soonest = time.monotonic(), None
    for parcel in list(_parcels.values()):
        late = [serial for serial in list(parcel.pending) if serial < parcel.opened]
        if late and parcel.when + GRACE > now:
            soonest = min(parcel.when + GRACE, soonest or parcel.when + GRACE)
        else:
            for serial in late:
                _take_back(parcel, serial)
    return None if soonest is None else 1000 * (soonest - now) + 1


# ---- the receiver --------------------------------------------------------------------------------------------------


def fetch(offer: Offer) -> int:
    """A descriptor of one's own of the socket that a pickle means.

    Raises:
        FileNotFoundError: the process that pickled it has ended, or has closed it and somebody else has loaded it.
        ProtocolError: what was handed out is not what the pickle says.
        TimeoutError: that process does not answer.
        OSError: the process has too many files open.
    """
    if offer.token in _parcels:  # of this very process
        with _looking.lock:
            parcel = _found(offer.token, offer.serial)
            fd = -1 if parcel is None else os.dup(parcel.fd)
            if parcel is not None:
                _used(parcel, offer.serial)
        settle()
    else:
        fd = wire.ask(offer)
    if fd < 0:
        raise FileNotFoundError(errno.ENOENT, wire.gone(offer.pid))
    if not stat.S_ISSOCK(os.fstat(fd).st_mode) or identity(fd) != (offer.device, offer.inode):
        os.close(fd)
        raise ProtocolError(f"process {offer.pid} gave something else than the end of a pipe that was sent")
    return fd


# ---- both ----------------------------------------------------------------------------------------------------------


def _forked() -> None:
    """In a forked copy: what the parent has sent is the parent's to keep."""
    global _office
    _looking.forked()
    for parcel in [*_kept(), *_leaving]:
        parcel.close()
    _parcels.clear()
    _leaving.clear()
    office, _office = _office, None
    if office is not None:
        office.listener.close()


os.register_at_fork(after_in_child=_forked)

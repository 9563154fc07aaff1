"""A process's one connection to one manager.

Rule: one connection for a process and a manager, whatever the number of threads and proxies. A thread that waits for an
answer reads for the others too; when it has its own, the next one reads. Nobody else does, so there is no thread here.

The server frees what a process holds at the end of its connection. So references are counted on it, and a forked child
never uses its parent's: it opens its own, and takes its own references to what its proxies name, before its first call.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from importlib import import_module
from multiprocessing import connection, context, process, util
from threading import get_ident
from typing import Any
from weakref import WeakSet, WeakValueDictionary

from elsewhere.errors import MayHaveRun
from elsewhere.runtime.spin import wait_soon
from elsewhere.sansio.spinning import Spinning

from . import wire
from .wire import HEADER

__all__ = ["Link", "ManagerLost", "link_to"]

PATIENCE = 20  # seconds for the other side's part in proving the key


class ManagerLost(MayHaveRun, EOFError, ConnectionError):
    """The manager's process has ended, and the shared objects with it; the call may have run.

    Also an `EOFError` and a `ConnectionError`: multiprocessing raises now the one, now the other.
    """


class _Slot:
    """A thread that waits for an answer, or for its turn to read."""

    __slots__ = ("answer", "reads", "wake")

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] | None = None
        self.reads = False
        self.wake = threading.Lock()
        self.wake.acquire()


class Link:
    """See the module; made by `link_to`."""

    def __init__(self, address: Any, authkey: bytes, serializer: str) -> None:
        self.address = address
        self.authkey = authkey
        self._codec = wire.codec_for(serializer)
        self.held: dict[object, str] = {}  # a key for each proxy of this process -> what it names
        self._ended = ""  # why it cannot be used any more
        self._forget()

    def _forget(self) -> None:
        self._mutex = threading.Lock()
        self._sock: socket.socket | None = None
        self._inbox = wire.Inbox()
        self._ready: deque[tuple[int, int, bytes]] = deque()
        self._number = 0
        self._spinning = Spinning()
        self._reading = False
        self._slots: dict[int, _Slot] = {}
        self._dropped: deque[object] = deque()

    @property
    def ended(self) -> bool:
        return bool(self._ended)

    def open(self) -> None:
        """Connect, if it is not.

        Raises:
            OSError: nobody listens there.
            multiprocessing.AuthenticationError: the keys differ.
        """
        with self._mutex:
            if self._sock is None:
                self._open()

    def _open(self) -> None:
        if self._ended:
            raise ManagerLost(self._ended)
        raw = _connected(self.address)
        try:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", PATIENCE, 0))
            prove = connection.Connection(os.dup(raw.fileno()))
            try:
                connection.answer_challenge(prove, self.authkey)
                connection.deliver_challenge(prove, self.authkey)
            finally:
                prove.close()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
            # In a forked child: its own references to what its proxies name.
            mine = b"".join(_frame(wire.INCREF, 0, ident.encode()) for ident in list(self.held.values()))
            raw.sendall(wire.HELLO + mine)
        except BaseException:
            raw.close()
            raise
        self._sock = raw

    def call(self, ident: str | None, method: str, args: Any = (), kwds: Any = None) -> tuple[int, Any]:
        """The kind of the answer, and what it says: a value, a proxy's description or an exception to be raised.

        Raises:
            ManagerLost: the manager is gone.
        """
        kind, body = self._codec.call((ident, method, args, kwds or {}, get_ident()))
        number, slot = self._send(kind, body)
        try:
            kind, body = self._receive(number, slot)
        except ManagerLost:
            raise
        except BaseException:  # Ctrl-C, or what another signal's handler raised
            self._give_up(number, slot)
            raise
        if kind == wire.RETURN:
            return kind, self._codec.loads(body)
        if kind == wire.RETURN_BY_VALUE:
            return wire.RETURN, self._of_main(*self._codec.loads(body))
        return kind, self._understood(kind, body)

    def _of_main(self, by_name: bytes, by_value: Any) -> Any:
        """Here ``__main__`` is the program's own, and has the names; or a worker's, and may not know them yet."""
        from elsewhere.runtime.packing.namespace import current

        return self._codec.loads(by_name) if current() is None else wire.loads_by_value(*by_value)

    def _understood(self, kind: int, body: bytes) -> Any:
        from multiprocessing.managers import RemoteError

        told = self._codec.loads(body)
        if kind == wire.PROXY:
            return told
        if kind == wire.UNSERIALIZABLE:
            return RemoteError(f"Unserializable message: {told}\n")
        if kind == wire.TRACEBACK:
            return RemoteError(told)
        packed, text = told
        try:
            error = self._codec.loads(packed)
        except Exception as reason:  # noqa: BLE001 - an exception whose class is not here, or whose constructor differs
            return RemoteError(f"{text}\n(the exception itself cannot be loaded here: {reason!r})\n")
        if text.startswith("Traceback"):
            pool: Any = import_module("multiprocessing.pool")
            error.__cause__ = pool.RemoteTraceback(f'\n"""\n{text}"""')
        return error

    def _send(self, kind: int, body: bytes) -> tuple[int, _Slot | None]:
        with self._mutex:
            self._connected()
            self._number = number = self._number + 1
            slot = None
            if self._reading:  # it is there before the answer can be, which the reader would throw away
                slot = self._slots[number] = _Slot()
            try:
                self._write(HEADER.pack(kind, number, len(body)) + body)
            except BaseException:
                self._slots.pop(number, None)  # else the turn to read would be handed to nobody
                raise
            self._reading = True
            return number, slot

    def _connected(self) -> None:
        if self._ended:
            raise ManagerLost(self._ended)
        if self._sock is None:
            try:
                self._open()
            except (OSError, EOFError) as error:
                raise ManagerLost(f"no manager answers at {self.address!r} any more: {error}") from error
        if self._dropped:
            self._flush()

    def _write(self, data: bytes) -> None:
        assert self._sock is not None
        try:
            self._sock.sendall(data)
        except BaseException as error:
            if isinstance(error, OSError) and error.errno is not None:
                self._end(self._lost())
                raise ManagerLost(self._ended) from error
            # A signal's handler raised it, and part of a frame may be out.
            self._end("a signal interrupted the sending of a call, so the connection to the manager had to be given up")
            raise

    def _receive(self, number: int, slot: _Slot | None) -> tuple[int, bytes]:
        if slot is not None:
            slot.wake.acquire()
            if slot.answer is not None:
                return slot.answer
            if not slot.reads:
                raise ManagerLost(self._ended)
            slot.reads = False
        try:
            return self._read(number)
        finally:
            self._hand_on()

    def _read(self, mine: int) -> tuple[int, bytes]:
        ready = self._ready
        while True:
            while ready:
                kind, number, body = ready.popleft()
                if number == mine:
                    return kind, body
                slot = self._slots.pop(number, None)
                if slot is not None:  # else somebody gave it up
                    slot.answer = (kind, body)
                    slot.wake.release()
            try:
                data = wait_soon(self._spinning, self._look, self._sleep, gives_way=True)
            except OSError as error:
                if error.errno is None:  # not the socket's: a signal's handler raised it, a TimeoutError perhaps
                    raise
                data = b""
            if not data:
                with self._mutex:
                    self._end(self._lost(), reader=True)
                raise ManagerLost(self._ended)
            frames = self._inbox.feed(data)
            if len(frames) == 1 and frames[0][1] == mine:
                kind, _, body = frames[0]
                return kind, body
            ready.extend(frames)

    def _look(self) -> bytes:
        try:
            return b"" if self._sock is None else self._sock.recv(wire.CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""

    def _sleep(self) -> bytes:
        return b"" if self._sock is None else self._sock.recv(wire.CHUNK)

    def _hand_on(self) -> None:
        with self._mutex:
            if self._slots:
                slot = self._slots.pop(next(iter(self._slots)))
                slot.reads = True
                slot.wake.release()
            else:
                self._reading = False
                if self._ended:  # another thread has found that out, and left the closing to who reads
                    self._end(self._ended)
            if self._dropped and self._sock is not None:
                with suppress(ManagerLost):  # the answer that this thread has is right all the same
                    self._flush()

    def _give_up(self, number: int, slot: _Slot | None) -> None:
        """The thread does not wait any more: the server should not keep an item, or a lock, for it."""
        with self._mutex:
            self._slots.pop(number, None)
            turn = slot is not None and slot.reads  # it was given the turn to read just when it was interrupted
            if self._sock is not None and not self._ended:
                with suppress(ManagerLost):
                    self._write(_frame(wire.CANCEL, number, b""))
        if turn:
            self._hand_on()

    def drop(self, key: object) -> None:
        """A proxy is gone. Called by destructors, so perhaps by one that interrupts this very class: it never waits."""
        self._dropped.append(key)
        if self._mutex.acquire(blocking=False):
            try:
                with suppress(ManagerLost):
                    self._flush()
            finally:
                self._mutex.release()

    def _flush(self) -> None:
        frames = []
        while self._dropped:
            ident = self.held.pop(self._dropped.popleft(), None)
            if ident is not None:
                frames.append(_frame(wire.DECREF, 0, ident.encode()))
        if frames and self._sock is not None and not self._ended:
            self._write(b"".join(frames))

    def _lost(self) -> str:
        return (
            f"the manager at {self.address!r} has ended, and with it the objects it held: it was killed, has crashed "
            "or was shut down; start another Manager() and make them anew"
        )

    def _end(self, reason: str, *, reader: bool = False) -> None:
        """With the mutex held: nobody waits any more, and nobody will.

        While another thread reads, the descriptor stays open, so that its number is not another file's; that thread
        sees an end, and closes it.
        """
        self._ended = self._ended or reason
        if self._sock is not None and self._reading and not reader:
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
            return
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        slots, self._slots = self._slots, {}
        for slot in slots.values():
            slot.wake.release()

    def close(self, reason: str) -> None:
        """The manager was shut down by this process."""
        _keys.pop(self.address, None)  # the next one there may have another
        with self._mutex:
            self._end(reason)

    def renew(self) -> None:
        """In a process that multiprocessing has forked: take references at once, the parent may drop its own soon."""
        if self.held:
            with suppress(OSError, EOFError, context.AuthenticationError):  # the first call will say so
                self.open()

    def forked(self) -> None:
        """In a forked child: the connection is the parent's. Closing a copy of its descriptor tells nobody."""
        sock = self._sock
        self._forget()
        if sock is not None:
            sock.close()

    def __del__(self) -> None:
        sock = getattr(self, "_sock", None)
        if sock is not None:
            sock.close()


def _frame(kind: int, number: int, body: bytes) -> bytes:
    return HEADER.pack(kind, number, len(body)) + body


def _connected(address: Any) -> socket.socket:
    unix = isinstance(address, (str, bytes))
    sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.connect(address)
        if not unix:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


_links: WeakValueDictionary[tuple[Any, bytes, str], Link] = WeakValueDictionary()
_all: WeakSet[Link] = WeakSet()
_keys: dict[Any, bytes] = {}  # of the managers that this process has made or connected to
_lock = threading.Lock()


def link_to(address: Any, authkey: bytes | None, serializer: str, *, fresh: bool = False) -> Link:
    """This process's connection to that manager; `fresh` if the manager is known to be a new one."""
    address = tuple(address) if isinstance(address, list) else address
    with _lock:
        if authkey is None:
            authkey = _keys.get(address)
        key = bytes(process.current_process().authkey if authkey is None else authkey)
        _keys[address] = key
        link = _links.get((address, key, serializer))
        if link is None or link.ended or fresh:
            link = _links[address, key, serializer] = Link(address, key, serializer)
            _all.add(link)
            util.register_after_fork(link, Link.renew)
        return link


def _forked() -> None:
    global _lock
    _lock = threading.Lock()
    for link in list(_all):
        link.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

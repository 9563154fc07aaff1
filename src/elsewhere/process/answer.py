"""One answer of one process, and its two ends: what the target returned or raised.

Rule: an answer is there as a whole or not at all, and a process never waits for anybody to take it: a small one fits
the socket, a larger one is a file without a name whose descriptor does. It outlives its process.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import CoroutineType
from typing import Any, NamedTuple, cast

from elsewhere.runtime.packing import dumps_result, loads_result

__all__ = ["Ear", "Mouth", "Outcome", "readable", "reporting"]

VALUE, ERROR, UNSENDABLE = b"V", b"E", b"U"
HERE, ASIDE = b".", b"@"  # is the body in the message, or in the file that comes with it?
LARGEST = 4000  # bytes in a message; the kernel hands over so few in one piece
PART = 1 << 16
DESCRIPTOR = struct.Struct("i")
_AT_ONCE = socket.MSG_DONTWAIT | getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Outcome(NamedTuple):
    """How a process's target ended."""

    value: Any
    error: BaseException | None


class Mouth:
    """The process's end."""

    def __init__(self, sock: socket.socket, name: str) -> None:
        self._sock = sock
        self._name = name

    def value(self, value: Any) -> None:
        """Say what the target returned; in words why not, if nothing can pickle it."""
        try:
            body = dumps_result(value)
        except Exception as error:  # noqa: BLE001 - pickling runs the user's code, which may raise anything
            from elsewhere.runtime.envelope import words

            self._send(UNSENDABLE, pickle.dumps((words(error), _shown(value)), 5))
        else:
            self._send(VALUE, body)

    def error(self, error: BaseException) -> None:
        """Say what the target raised."""
        from elsewhere.runtime.worker.answers import Answers

        trace = error.__traceback__
        try:
            own = trace
            while own is not None and own.tb_frame.f_globals.get("__name__") in _OURS:
                own = own.tb_next
            envelope = Answers(cast(Any, None)).envelope(error.with_traceback(own or trace), self._name, ())
        finally:
            error.__traceback__ = trace
        self._send(ERROR, envelope)

    def _send(self, kind: bytes, body: bytes) -> None:
        with contextlib.suppress(OSError):  # the caller has gone, or does not want to know
            if len(body) <= LARGEST:
                self._sock.send(kind + HERE + body)
                return
            with _nameless_file() as file:
                file.write(body)
                file.flush()
                socket.send_fds(self._sock, [kind + ASIDE], [file.fileno()])


_OURS = (__name__, "elsewhere.process.process", "multiprocessing.process")


def _nameless_file() -> Any:
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("elsewhere-answer"), "wb")
    import tempfile

    return tempfile.TemporaryFile()


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - the user's own code runs here
        return f"<{type(value).__qualname__} whose repr() raises {type(error).__name__}>"


def reporting(run: Callable[[], Any], mouth: Mouth, *, quiet: bool) -> Callable[[], None]:
    """`run`, with what comes of it said; an error is raised all the same, for who prints it, unless `quiet`."""

    def reported() -> None:
        try:
            value = run()
            if type(value) is CoroutineType:
                import asyncio

                value = asyncio.run(value)
        except SystemExit:
            raise  # it is no error but an exit code
        except BaseException as error:
            from multiprocessing import util

            util._flush_std_streams()  # type: ignore[attr-defined]  # what was printed is there before the answer
            mouth.error(error)
            if quiet:
                raise SystemExit(1) from None
            raise
        from multiprocessing import util

        util._flush_std_streams()  # type: ignore[attr-defined]  # as above
        mouth.value(value)

    return reported


class Ear:
    """The caller's end.

    Args:
        sock: what the mouth speaks to.
        name: what the call is called in notes.
        keep: lives as long as this does; the classes that answers come back as.
    """

    def __init__(self, sock: socket.socket, name: str, keep: Any = None) -> None:
        self.sock = sock
        self.name = name
        self._keep = keep
        self._lock = threading.Lock()
        self._outcome: Outcome | None = None
        self._deaf = False

    @property
    def answered(self) -> bool:
        """Has an answer been taken?"""
        return self._outcome is not None

    def outcome(self, sentinel: int, pid: int, timeout: float | None) -> Outcome | None:
        """What the process has answered; None when the time is over, or when it has ended without an answer."""
        deadline = None if timeout is None else time.monotonic() + timeout
        poll = select.poll()
        poll.register(sentinel, select.POLLIN)
        poll.register(self.sock, select.POLLIN)
        listening = True
        while self._outcome is None:
            ended = readable(sentinel)  # before the look: what it said before its end is there
            if self._take(pid) or ended:
                break
            if self._deaf and listening:
                poll.unregister(self.sock)  # it has closed its end and lives on: only its own end will be news
                listening = False
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0.0:
                break
            poll.poll(None if left is None else math.ceil(left * 1000))
        return self._outcome

    def _take(self, pid: int) -> bool:
        """Take the answer if it is there, once."""
        with self._lock:
            if self._outcome is None and (message := self._receive()) is not None:
                self._outcome = self._open(*message, pid)
                with contextlib.suppress(OSError):
                    self.sock.shutdown(socket.SHUT_RD)  # wakes whoever else waits for it
            return self._outcome is not None

    def _receive(self) -> tuple[bytes, bytes] | None:
        try:
            # Not socket.recv_fds, which forgets the flags it is given.
            data, extra, _, _ = self.sock.recvmsg(PART, socket.CMSG_SPACE(DESCRIPTOR.size), _AT_ONCE)
        except BlockingIOError:
            return None
        except OSError:  # it died with something of ours unread
            data, extra = b"", []
        if not data:
            self._deaf = True
            return None
        if data[1:2] == HERE:
            return data[:1], data[2:]
        (fd,) = DESCRIPTOR.unpack_from(extra[0][2])
        with open(fd, "rb") as file:
            file.seek(0)
            return data[:1], file.read()

    def _open(self, kind: bytes, body: bytes, pid: int) -> Outcome:
        try:
            if kind == VALUE:
                return Outcome(loads_result(body), None)
        except Exception as error:  # noqa: BLE001 - unpickling runs the user's code, which may raise anything
            error.add_note(f"raised while the result of {self.name} was unpickled")
            return Outcome(None, error)
        if kind == UNSENDABLE:
            from elsewhere.runtime.compat import MaybeEncodingError

            return Outcome(None, MaybeEncodingError(*pickle.loads(body)))
        from elsewhere.runtime.envelope import open_envelope

        return Outcome(None, open_envelope(body, self.name, None, pid)[0])


def readable(fd: int) -> bool:
    """Is there something to read, or an end, right now?"""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))

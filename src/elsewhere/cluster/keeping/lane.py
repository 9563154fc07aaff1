"""A lane: one child of a Dask worker, its pipes, and what is known of it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from select import select
from typing import Any

from elsewhere.cluster.keeping.frames import Reader

__all__ = ["Lane", "Visit"]

PIECE = 1 << 20  # bytes read at a time: what a pipe is asked to hold
F_SETPIPE_SZ = 1031
VECTOR = 64  # pieces written at a time
WORDS = 2000  # bytes of a child's last words
FULL = 1 << 26  # bytes that wait to be fetched, beyond which a child is not read


class Visit:
    """A Dask task of ours that waits in a thread of the Dask worker.

    Args:
        number: the visits of a lane are counted from 0.
        key: of the Dask task.
        pieces: bytes for the child.
        calls: how many of them it holds.
        files: descriptors that are to stay open until the child has read the pieces.
    """

    def __init__(self, number: int, key: str, pieces: list[Any], calls: int, files: tuple[int, ...] = ()) -> None:
        self.number, self.key, self.pieces, self.calls, self.files = number, key, pieces, calls, files
        self.over = threading.Event()

    def drop(self) -> None:
        """It is not made, or over."""
        Lane.give_back(self.files)
        self.files = ()
        self.over.set()


class Lane:
    """One child. Only the keeper's thread touches it.

    Args:
        name: what the client calls it.
        topic: under which its events are published.
        pace: seconds for which what it writes is gathered.
        words: of its command line.
        selector: the keeper's, which calls ``(function, lane)`` with what it was registered for.
        took: called with the lane and bytes from the child.
        died: called with the lane when the child has ended.

    Attributes:
        key: of the last Dask task that has come for it.
        expected: the number of the next visit.
        early: visits that came before an earlier one, by number.
        late: messages for the child that are to come when so many visits have begun: (number, bytes).
        visits: those whose calls the child is in; the first waits in its Dask task.
        fed: calls that it was handed, but for those it has given back.
        answered: those that it has answered.
        dropped: calls in visits below this number are not handed over any more.
        told: events that were published.
        unfetched: bytes that the client has been told of, and has not fetched.
        lent: files that the child maps, each with the number of calls that it had been handed before.
        got: bytes of the child's that have not been told.
        due: when to tell.
        rest: when to read on.
        missed: looks in a row that found nobody who wants it.
        words: the last that it has written to its stderr.
        closed: it is over, although events of its pipes may still be on their way.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        name: str,
        topic: str,
        pace: float,
        words: str,
        selector: selectors.BaseSelector,
        took: Callable[[Lane, bytes], None],
        died: Callable[[Lane, int], None],
    ) -> None:
        self.name, self.topic, self.pace = name, topic, pace
        self.key = ""
        self.expected = self.fed = self.answered = self.dropped = self.told = self.unfetched = self.missed = 0
        self.early: dict[int, Visit] = {}
        self.late: list[tuple[int, bytes]] = []
        self.visits: list[Visit] = []
        self.ready = self.failed = False
        self.lent: list[tuple[int, tuple[int, ...]]] = []
        self.got: list[bytes] = []
        self.due: float | None = None
        self.rest: float | None = None
        self.words = b""
        self.reader = Reader()
        self._selector, self._took, self._died = selector, took, died
        self._out: deque[memoryview] = deque()  # to the child
        self._writing = self._ended = False
        self.closed = False
        self._pidfd = -1
        self.process = subprocess.Popen(
            [sys.executable, "-c", words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # what its calls start is killed with it, and Ctrl-C is not for it
        )
        self._stdin: Any = self.process.stdin
        self._stdout: Any = self.process.stdout
        self._stderr: Any = self.process.stderr
        self._watch()

    @property
    def busy(self) -> bool:
        """Is the child in a call, or in its initializer?"""
        return self.answered < self.fed or not (self.ready or self.failed)

    @property
    def is_full(self) -> bool:
        """Is there so much to be fetched that it has to wait?"""
        return self.unfetched > FULL

    def _watch(self) -> None:
        for stream in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(stream.fileno(), False)
            with contextlib.suppress(ImportError, OSError):  # it holds what it holds
                import fcntl

                fcntl.fcntl(stream.fileno(), F_SETPIPE_SZ, PIECE)
        self.listen()
        self._selector.register(self._stderr, selectors.EVENT_READ, (Lane.read_words, self))
        with contextlib.suppress(AttributeError, OSError):  # without it, `look` sees its end
            self._pidfd = os.pidfd_open(self.process.pid)
            self._selector.register(self._pidfd, selectors.EVENT_READ, (self._died_now, self))

    def _died_now(self, _: Any, events: int) -> None:
        self._died(self, events)

    # ---- out -------------------------------------------------------------------------------------------------------

    def write(self, piece: Any) -> None:
        """Bytes for the child."""
        if len(piece):
            self._out.append(memoryview(piece).cast("B"))
            if not self._writing:
                self.push(0)

    def push(self, _: int) -> None:
        """Write what the pipe takes."""
        out = self._out
        try:
            while out:
                sent = os.writev(self._stdin.fileno(), [out[at] for at in range(min(len(out), VECTOR))])
                while out and sent >= len(out[0]):
                    sent -= len(out.popleft())
                if sent:
                    out[0] = out[0][sent:]
        except BlockingIOError:
            pass
        except (OSError, ValueError):
            out.clear()  # it has ended, or is about to
        if bool(out) is not self._writing:
            self._writing = not self._writing
            if self._writing:
                self._selector.register(self._stdin, selectors.EVENT_WRITE, (Lane.push, self))
            else:
                self._selector.unregister(self._stdin)

    # ---- in --------------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Read what the child writes, unless there is a reason not to."""
        if not self._ended and self.rest is None and not self.is_full and not self._listens():
            self._selector.register(self._stdout, selectors.EVENT_READ, (Lane.read, self))

    def ignore(self) -> None:
        """Leave it in the pipe."""
        if self._listens():
            self._selector.unregister(self._stdout)

    def _listens(self) -> bool:
        return self._stdout in self._selector.get_map()

    def read(self, _: int) -> None:
        """The child has written something."""
        try:
            data = os.read(self._stdout.fileno(), PIECE)
        except BlockingIOError:
            return
        if data:
            self._took(self, data)
        else:
            self.ignore()
            self._ended = True

    def read_words(self, _: int) -> None:
        """What the child's C code and children print goes where the Dask worker's own does."""
        try:
            data = os.read(self._stderr.fileno(), PIECE)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(self._stderr)
            return
        self.words = (self.words + data)[-WORDS:]
        with contextlib.suppress(OSError):
            os.write(2, data)

    # ---- the end ---------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Where nothing tells of a child's end, see whether it has come."""
        if self._pidfd < 0:
            self._died(self, 0)

    def kill(self) -> None:
        """The child, and what it has started."""
        if self.process.returncode is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except OSError:
                self.process.kill()

    @staticmethod
    def give_back(files: tuple[int, ...]) -> None:
        """Files that were lent."""
        for fd in files:
            os.close(fd)

    def close(self) -> None:
        """It has ended: take what it left, and give everything back."""
        self.closed = True
        self.rest, self.unfetched = None, 0
        self.listen()
        while not self._ended and select([self._stdout], [], [], 0)[0]:
            self.read(0)
            self.rest = None
        while self._stderr in self._selector.get_map() and select([self._stderr], [], [], 0)[0]:
            self.read_words(0)
        for stream in (self._stdin, self._stdout, self._stderr, self._pidfd):
            if stream != -1 and stream in self._selector.get_map():
                self._selector.unregister(stream)
        for stream in (self._stdin, self._stdout, self._stderr):
            stream.close()
        for _, files in self.lent:
            self.give_back(files)
        if self._pidfd >= 0:
            os.close(self._pidfd)

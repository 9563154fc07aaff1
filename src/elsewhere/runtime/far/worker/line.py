"""The worker's line to its caller: frames in and out, and who of its threads reads.

The main thread reads its input itself while it has nothing to do: a call that is waited for is handed to no other
thread. Once it has been busy for some milliseconds another thread, the watch, reads on until the main thread is idle
again and has been woken once: so calls can be taken back and interrupted, and the end of the input is seen, whatever
runs.
"""

from __future__ import annotations

import _thread
import os
import pickle
import signal
import sys
import threading
import time
from typing import Any, NoReturn

from .ledger import Ledger, Run
from .names import lend, objects
from .wire import (
    ASK,
    BORROWED,
    DUMP,
    HEADER,
    INTERRUPT,
    LENT,
    MODULE,
    ORDINAL,
    RANGE,
    RELEASED,
    RUN,
    SHARE,
    SKIP,
    STACKS,
    STDERR,
    WANT,
    WITHDRAW,
    Frames,
)

LOOK = 0.005  # seconds between two looks of the watch at whether the main thread is still busy
LOOKS = 200  # that find it idle, until the watch sleeps
GRACE = 1.0  # seconds for what runs when the caller has gone: its `finally` clauses, atexit
THREADS_PATIENCE = 5.0  # seconds that a worker which leaves waits for threads that its calls have left running
AGAIN = 0.005  # seconds between two signals to a call that is to end, at first
PIECE = 1 << 16  # bytes read at a time: what a pipe holds


class Line:
    """The line, and what it was handed over.

    `lock` guards the ledger; `writing` keeps frames whole; who holds `reading` reads.

    Attributes:
        ledger: what there is to do.
        inside: does user code run? Interrupts raise only then.
        gone: the caller has.
        leaving: the caller has said that nothing more comes.
        forked: this is not the worker, but a child that a call has made.
    """

    def __init__(self, reader: int, writer: int) -> None:
        self._in, self._out = reader, writer
        self.lock, self._writing, self._reading = (_thread.allocate_lock() for _ in range(3))
        self._frames = Frames()
        self.ledger = Ledger()
        self.inside = self.gone = self.leaving = self.forked = False
        self._main = threading.main_thread().ident or 0
        self._waiting, self._wakings = False, 0  # does the main thread wait for who reads?
        self._wake, self._park = _thread.allocate_lock(), _thread.allocate_lock()
        self._wake.acquire()
        self._park.acquire()
        self._spell = 1  # odd while the main thread is busy, and another number each time
        self._parked = False  # does the watch sleep?
        self._news = threading.Condition()
        self._modules: dict[str, Any] = {}

    # ---- out -------------------------------------------------------------------------------------------------------

    def send(self, kind: int, payload: bytes = b"", flags: int = 0, number: int = 0) -> None:
        """Write a frame, whole."""
        head = HEADER.pack(kind, flags, 0, number, len(payload))
        self._send([head + payload] if len(payload) < PIECE else [head, payload])

    def send_pieces(self, kind: int, pieces: list[Any], number: int) -> None:
        """Write a frame whose payload is in pieces."""
        size = sum(memoryview(piece).nbytes for piece in pieces)
        self._send([HEADER.pack(kind, 0, 0, number, size), *pieces])

    def _send(self, pieces: list[Any]) -> None:
        with self._writing:
            if not self.forked:
                for piece in pieces:
                    self._write(piece)

    def _write(self, data: Any) -> None:
        rest = memoryview(data)
        if rest.format != "B" or rest.ndim != 1:
            rest = rest.cast("B")
        while rest:
            rest = rest[self._write_some(rest) :]

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._out, data)
        except BlockingIOError:  # whoever made the pipe wants it so
            import select

            select.select((), (self._out,), ())
            return 0
        except OSError:
            self.hard_end()

    # ---- in --------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Wait for input and take it in. Only who holds `_reading` may call this."""
        try:
            room = self._frames.room()
            frames = self._read_to(room) if room else self._read_more()
            if frames is None:
                self._hang_up()
                return
            for kind, flags, number, payload in frames:
                self._take(kind, flags, number, payload)
        except BlockingIOError:  # whoever made the pipe wants it so
            import select

            select.select((self._in,), (), ())
        except OSError:
            self._hang_up()
        except Exception as error:
            complain(f"it ends, as what comes in is not from a caller of its kind: {type(error).__name__}: {error}")
            self._hang_up()

    def _read_more(self) -> list[tuple[int, int, int, Any]] | None:
        data = os.read(self._in, PIECE)
        return self._frames.feed(data) if data else None

    def _read_to(self, room: memoryview) -> list[tuple[int, int, int, Any]] | None:
        count = os.readv(self._in, [room])
        return self._frames.filled(count) if count else None

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        """One frame: what hurries is done at once, the rest is queued."""
        if kind == SKIP:
            with self.lock:
                self.ledger.skip(*RANGE.unpack(payload))
        elif kind == WITHDRAW:
            with self.lock:
                begun = self.ledger.withdraw()
            self.send(RELEASED, ORDINAL.pack(begun))
        elif kind == INTERRUPT:
            self._stop(ORDINAL.unpack(payload)[0], cancelled=bool(flags & 1))
        elif kind == MODULE:
            name, given = pickle.loads(payload)
            with self._news:
                self._modules[name] = given
                self._news.notify_all()
        elif kind == SHARE and flags == LENT:  # others wait for it, whatever runs here
            lend(number, payload)
        elif kind == SHARE and flags == BORROWED:
            objects[number] = [RANGE.unpack(payload), None]
        elif kind == DUMP:
            self.send(STACKS, stacks().encode("utf-8", "backslashreplace"))
        else:
            with self.lock:
                if kind == RUN:
                    self.ledger.hand(number, flags, payload)
                else:
                    self.ledger.queue.append((kind, number, payload))
                self._wake_main()

    def _stop(self, ordinal: int, *, cancelled: bool) -> None:
        """A call is to end: the one that runs, or one that will."""
        with self.lock:
            runs = self.ledger.stop(ordinal, cancelled=cancelled)
        if runs:
            _thread.start_new_thread(self._insist, (ordinal,))

    def _insist(self, ordinal: int) -> None:
        """Signal until it is raised: a call may just be on its way into the kernel, or import a module."""
        pause = AGAIN
        while self.ledger.to_be_stopped(ordinal) and not self.forked:
            signal.pthread_kill(self._main, signal.SIGURG)
            time.sleep(pause)
            pause = min(2 * pause, 10 * AGAIN)

    def begin(self, run: Run) -> bool | None:
        """See `Ledger.begin`."""
        with self.lock:
            return self.ledger.begin(run)

    # ---- who reads -------------------------------------------------------------------------------------------------

    def next(self) -> Any:
        """The main thread's next piece of work, a `Run` or (kind, number, payload); None when the caller has gone."""
        while not self.gone:
            with self.lock:
                work = self.ledger.next()
            if work is not None:
                return work
            self._spell += 1
            while not self.ledger.queue and not self.gone:
                if self._take_reading():
                    if not self.ledger.queue and not self.gone:  # nobody else adds to it from here on
                        self._read()
                    self._reading.release()
            self._spell += 1
            if self._parked:
                self._unpark()
        return None

    def _take_reading(self) -> bool:
        """For the main thread: True if it reads, False when it was woken by who reads, or has left off."""
        if self._reading.acquire(False):
            return True
        with self.lock:
            if self.ledger.queue or self.gone:
                return False
            self._waiting = True
        if not self._reading.acquire(False):
            self._wake.acquire()
            return False
        with self.lock:  # who read has left off before it could see that
            if self._waiting:
                self._waiting = False
            else:
                self._wake.acquire()  # it is free
        return True

    def _wake_main(self) -> None:
        if self._waiting:
            self._waiting = False
            self._wakings += 1
            self._wake.release()

    def _leave_reading(self) -> None:
        self._reading.release()
        with self.lock:
            self._wake_main()  # it reads itself from now on

    def _unpark(self) -> None:
        with self.lock:
            if self._parked:
                self._parked = False
                self._park.release()

    def watch(self) -> NoReturn:
        """The watch: looks every few milliseconds while there are calls, and not at all when there are none."""
        while True:
            looks, seen = 0, 0
            while looks < LOOKS:
                time.sleep(LOOK)
                spell = self._spell
                if not spell & 1:
                    looks, seen = looks + 1, 0
                elif spell != seen:
                    looks, seen = 0, spell
                elif self._reading.acquire(False):
                    wakings = self._wakings
                    while self._wakings == wakings and not self.gone:
                        self._read()
                    self._leave_reading()
                    looks = seen = 0
                if self.gone:
                    time.sleep(GRACE + self.leaving * THREADS_PATIENCE)
                    self.hard_end()
            self._parked = True
            if self._spell & 1 or self.gone:  # it has become busy just now, and may not have seen that
                self._unpark()
            self._park.acquire()

    def ask(self, name: str) -> Any:
        """Ask the caller for a module, and wait for the answer."""
        if self.forked or self.gone:
            return None
        self.send(ASK, name.encode("utf-8", "surrogatepass"))
        while name not in self._modules:
            if self.gone:
                raise ImportError(f"the caller has gone, which was asked for the module {name!r}")
            if self._reading.acquire(False):
                if name not in self._modules:
                    self._read()
                self._leave_reading()
            else:
                with self._news:
                    if name not in self._modules:
                        self._news.wait(10 * LOOK)  # who reads may stop reading
        return self._modules.pop(name)

    def want(self, token: int) -> None:
        """Ask the caller for a shared object that nobody here lends any more."""
        self.send(WANT, ORDINAL.pack(token))

    # ---- its end ---------------------------------------------------------------------------------------------------

    def _hang_up(self) -> None:
        """The caller has gone: nothing more is begun, what runs is interrupted, and the watch kills it soon."""
        with self.lock:
            self.gone = True
            begun = self.ledger.withdraw()
            self._wake_main()
        self._unpark()
        with self._news:
            self._news.notify_all()
        self._stop(begun, cancelled=True)

    def hard_end(self) -> NoReturn:
        """Now, with the programs that calls have started, if this process leads their group."""
        if not self.forked and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    def cut_off(self) -> None:
        """In a child that a call has made by fork: the line is the worker's alone."""
        self.forked = True
        self._writing = _thread.allocate_lock()
        for fd in (self._in, self._out):
            os.close(fd)


def complain(text: str) -> None:
    """Last words, on the descriptor that goes where the line's own messages go."""
    os.write(STDERR, f"elsewhere: worker {os.getpid()}: {text}\n".encode("utf-8", "backslashreplace"))


def stacks() -> str:
    """What all threads do now."""
    import traceback

    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident, frame in sys._current_frames().items():
        if ident != _thread.get_ident():
            parts += [f"Thread {names.get(ident, ident)}:\n", *traceback.format_stack(frame), "\n"]
    return "".join(parts)

"""The faults, by name: what a function, an argument, a result or an exception can do to its worker.

Rule: module-level, so that a worker imports them by name. A `path` is a `Post`'s, into which the worker says what it
came to; a `once` is a file that is made by the first who looks, so that a fault strikes only that one.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import socket
import threading
import time
from collections import deque

LARGE = 100_000_000  # bytes of a large reply


def say(path, text):
    """Write a line, whole, into a Post."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, f"{text}\n".encode())
    finally:
        os.close(fd)


def is_first(once):
    """Whether nobody has asked before; always, without a file."""
    if once is None:
        return True
    try:
        os.close(os.open(once, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def die(signum=signal.SIGKILL):
    os.kill(os.getpid(), signum)
    threading.Event().wait()  # SIGKILL of oneself comes at once, but no line after it may matter


def same(value):
    return value


def pid(_=None):
    return os.getpid()


# ---- functions that end their worker ---------------------------------------------------------------------------------


class Fault:
    """Given `at`, strikes; returns everything else as it is."""

    exitcode = -9
    signal: str | None = "SIGKILL"

    def __init__(self, at, once=None):
        self.at = at
        self.once = once and str(once)

    def __call__(self, value):
        if value == self.at and is_first(self.once):
            self.strike()
        return value

    def strike(self):
        raise NotImplementedError


class KillAt(Fault):
    def strike(self):
        die()


class SegfaultAt(Fault):
    exitcode, signal = -11, "SIGSEGV"

    def strike(self):
        ctypes.string_at(0)


class AbortAt(Fault):
    exitcode, signal = -6, "SIGABRT"

    def strike(self):
        os.abort()


class TerminateAt(Fault):
    exitcode, signal = -15, "SIGTERM"

    def strike(self):
        die(signal.SIGTERM)


class ExitAt(Fault):
    exitcode, signal = 3, None

    def strike(self):
        os._exit(3)


class ExitZeroAt(Fault):
    exitcode, signal = 0, None

    def strike(self):
        os._exit(0)


class KillWhileThreadsRunAt(Fault):
    def strike(self):
        for _ in range(3):
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        die()


class KillMidReplyAt(Fault):
    """The worker dies when it has written half of a reply of 100 MB into a block of shared memory."""

    def __call__(self, value):
        super().__call__(value)
        return bytes(LARGE) if value == self.at and self.once is None else value

    def strike(self):
        from elsewhere.runtime.memory.store import Hold

        view = Hold.view

        def some(hold):
            view(hold)[: LARGE // 2] = bytes(LARGE // 2)
            return die()

        Hold.view = some


class KillAfterDescriptorAt(KillMidReplyAt):
    """The worker dies when the block with its reply of 100 MB is sent, and the message that names it is not."""

    def strike(self):
        from elsewhere.runtime.memory.exchange import Exchange

        send = Exchange._send

        def only(exchange, block):
            assert send(exchange, block)
            return die()

        Exchange._send = only


class KillMidMessageAt(KillMidReplyAt):
    """The worker has no blocks, and dies when some of a reply of 100 MB is on its way through the socket."""

    def strike(self):
        from elsewhere.runtime.memory.store import Store

        Store.take = lambda store, size: None
        whole = socket.socket.sendall

        def some(sock, data, *flags):
            if len(data) < LARGE // 2:
                return whole(sock, data, *flags)
            whole(sock, memoryview(data)[: LARGE // 2])
            return die()

        socket.socket.sendall = some


# ---- arguments -------------------------------------------------------------------------------------------------------


class CrashAtUnpickle:
    """An argument that kills the worker which loads it."""

    exitcode = -9
    signal: str | None = "SIGKILL"

    def __init__(self, once=None):
        self.once = once and str(once)

    def __reduce__(self):
        return type(self).load, (self.once,)

    @classmethod
    def load(cls, once):
        if is_first(once):
            cls.strike()
        return "loaded"

    @staticmethod
    def strike():
        die()


class ExitAtUnpickle(CrashAtUnpickle):
    exitcode, signal = 4, None

    @staticmethod
    def strike():
        os._exit(4)


class PauseAtUnpickle(CrashAtUnpickle):
    """Says where it is being loaded, and never finishes; a second time it loads at once."""

    def __init__(self, once, path):
        super().__init__(once)
        self.path = path

    def __reduce__(self):
        return load_slowly, (self.once, self.path)


def load_slowly(once, path):
    if is_first(once):
        say(path, os.getpid())
        threading.Event().wait()
    return "loaded"


class ErrorAtPickle:
    def __reduce__(self):
        raise OverflowError("not with me")


class ErrorAtUnpickle:
    def __reduce__(self):
        return raise_overflow, ()


def raise_overflow():
    raise OverflowError("not here")


# ---- results and exceptions ------------------------------------------------------------------------------------------


def unpicklable_result(_=None):
    return threading.Lock()


def result_that_errors_at_pickle(_=None):
    return ErrorAtPickle()


def result_that_errors_at_unpickle(_=None):
    return ErrorAtUnpickle()


class AtUnpickle:
    """Runs a function of no arguments in the process that loads it."""

    def __init__(self, function):
        self.function = function

    def __reduce__(self):
        return self.function, ()


def result_that_exits_at_unpickle(_=None):
    return AtUnpickle(exit_6)


def exit_6():
    raise SystemExit(6)


def result_whose_error_has_no_text(_=None):
    return AtUnpickle(raise_without_text)


class ResultThatCrashesAtPickle:
    def __reduce__(self):
        die()
        return same, (0,)


def result_that_crashes_at_pickle(_=None):
    return ResultThatCrashesAtPickle()


class UnpicklableException(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


def raise_unpicklable(_=None):
    raise UnpicklableException("locked")


class ExceptionThatFailsToUnpickle(Exception):
    """The classic: a constructor that wants more than `args` has."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def raise_one_that_fails_to_unpickle(_=None):
    raise ExceptionThatFailsToUnpickle(7, "two arguments")


class ExceptionWithoutText(Exception):
    def __str__(self):
        raise ValueError("no text")


def raise_without_text(_=None):
    raise ExceptionWithoutText


def raise_system_exit(_=None):
    raise SystemExit(5)


def raise_keyboard_interrupt(_=None):
    raise KeyboardInterrupt


# ---- calls that last -------------------------------------------------------------------------------------------------


def wait_for_ever(path=None):
    """Says its pid, then waits; an interrupt raises through it."""
    if path is not None:
        say(path, os.getpid())
    time.sleep(1000)


def clean_up(path):
    """Says "began", waits, and when it is stopped says by what, and that its `with` and `finally` ran."""
    try:
        say(path, "began")
        time.sleep(1000)
    except BaseException as error:
        say(path, type(error).__name__)
        raise
    finally:
        say(path, "finally")


def ignore_interrupt(path):
    """Swallows whatever is raised inside."""
    began = False
    while True:
        try:
            if not began:
                began = True
                say(path, os.getpid())
            time.sleep(1000)
        except BaseException as error:
            say(path, type(error).__name__)


def endless_c(path):
    """Stuck in C, where no exception of a signal handler can be raised."""
    try:
        say(path, os.getpid())
    finally:  # also if it is stopped just before
        deque(itertools.repeat(0), maxlen=0)


def reply_large(path):
    """Says its pid when all but the reply is done."""
    say(path, os.getpid())
    return bytes(LARGE)


def block_until(path, gate):
    """Says its pid, then waits for somebody to open the other FIFO for writing."""
    say(path, os.getpid())
    os.close(os.open(gate, os.O_RDONLY))
    return "done"


async def clean_up_async(path):
    import asyncio

    try:
        say(path, "began")
        await asyncio.sleep(1000)
    except BaseException as error:
        say(path, type(error).__name__)
        raise
    finally:
        say(path, "finally")

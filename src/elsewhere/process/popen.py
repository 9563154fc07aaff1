"""A process that was started: what the standard library's `Process` asks of its ``_popen``.

Rule: it is signalled through its pidfd, which hits this process or none, and it has ended when its pidfd says so; its
exit code is what the fork server, its parent and the only one who reaps, reports.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing.popen_fork
import multiprocessing.process
import os
import pickle
import select
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from multiprocessing import util
from multiprocessing.process import BaseProcess
from typing import Any

from elsewhere.call import function_name
from elsewhere.process import defaults
from elsewhere.process.answer import Ear, Mouth, reporting
from elsewhere.process.hub import hub
from elsewhere.runtime.packing import Packer
from elsewhere.runtime.packing.namespace import current
from elsewhere.runtime.worker.handles import sending
from elsewhere.runtime.worker.surroundings import take_surroundings

__all__ = ["LENGTH", "ForkPopen", "Popen", "open_popen"]

LENGTH = struct.Struct("!Q")  # of what follows, before what is sent to the process
LAST = -10  # among multiprocessing's finalizers: what is below 0 comes after the processes were joined


def open_popen(process: BaseProcess) -> Popen | ForkPopen:
    """Start the process in the way that its class says, or else the default."""
    method = process._start_method or defaults.current()  # type: ignore[attr-defined]  # not in the stubs
    if method == "fork":
        return ForkPopen(process)
    return Popen(process, method)


def _outlives(process: BaseProcess) -> bool:
    """Does it go on when this process is killed, as multiprocessing's do? Not what would be left behind by that."""
    if process.daemon or not getattr(process, "_outlives", True):
        return False
    # A worker of a pool is killed as a matter of course, and what its calls have started ends with it.
    return current() is None or multiprocessing.process.parent_process() is not None


def called(process: BaseProcess) -> str:
    """What the process runs, for a sentence."""
    if given := getattr(process, "_called", None):
        return str(given)
    target = process._target  # type: ignore[attr-defined]  # not in the stubs
    return f"{type(process).__qualname__}.run" if target is None else function_name(target)


class Popen:
    """A process by way of the fork server.

    Attributes:
        pid: its process id.
        sentinel: a descriptor that is readable once it has ended.
        returncode: its exit code, None until somebody asked after its end.
        ear: where its answer arrives.
    """

    def __init__(self, process: BaseProcess, method: str) -> None:
        util._flush_std_streams()  # type: ignore[attr-defined]  # not in the stubs
        self.method = method
        self.returncode: int | None = None
        self._owner = os.getpid()
        packer = Packer()
        with sending() as handles:
            packed = packer.item(process, lambda: f"{process.name}, a process that runs {called(process)},", "process")
            definitions = [tuple(packer.definitions[digest]) for digest in packed.needs]
            tracker = _tracker()
            payload = pickle.dumps((_circumstances(method, len(tracker)), definitions, *packed), 5)
            near, far = socket.socketpair()
            near.setblocking(True)  # whatever `socket.setdefaulttimeout` says
            try:
                with far, _own_pidfd() as own:
                    self._hub = hub(method)
                    fds = [far.fileno(), own, *tracker, *handles]
                    self._key, self.pid = self._hub.start(fds, outlives=_outlives(process))
                self.sentinel = _pidfd(self.pid)
            except BaseException:
                near.close()
                raise
        self.ear = Ear(near, called(process), packer)
        self.finalizer = util.Finalize(self, _close, (near, self.sentinel), exitpriority=LAST)
        with contextlib.suppress(OSError):  # it was killed already; its exit code tells
            near.sendall(LENGTH.pack(len(payload)) + payload)

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        """The exit code, or None if it has not ended; without the flag, wait for it."""
        if self.returncode is None and os.getpid() == self._owner:
            if not self._ended(0.0 if flag == os.WNOHANG else None):
                return None
            with self._hub.lock:
                if self.returncode is None:
                    self.returncode = self._hub.status(self._key)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code when it has ended, or None when the time is over."""
        if self.returncode is None and not self._ended(timeout):
            return None
        return self.poll()

    def _ended(self, timeout: float | None) -> bool:
        poll = select.poll()
        poll.register(self.sentinel, select.POLLIN)
        return bool(poll.poll(None if timeout is None else math.ceil(max(0.0, timeout) * 1000)))

    def send_signal(self, signum: int) -> None:
        """Send it a signal; nothing happens once it has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.sentinel, signum)

    _send_signal = send_signal  # what later versions of the standard library call

    def interrupt(self) -> None:
        """SIGINT."""
        self.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Give back what is open here."""
        self.finalizer()


def _tracker() -> list[int]:
    """The descriptor of multiprocessing's resource tracker, if it runs: one of its own would, at the process's end,
    remove shared memory of ours that the process has only opened.
    """
    module: Any = sys.modules.get("multiprocessing.resource_tracker")
    fd = None if module is None else module._resource_tracker._fd
    return [] if fd is None else [fd]


@contextlib.contextmanager
def _own_pidfd() -> Iterator[int]:
    """By this a process sees when its parent has ended, whoever has the parent's pid then."""
    own = os.pidfd_open(os.getpid())
    try:
        yield own
    finally:
        os.close(own)


def _circumstances(method: str, trackers: int) -> dict[str, Any]:
    """What the process is to find as it is here."""
    given = take_surroundings()
    theirs = sys.modules["multiprocessing.context"]
    given["start_method"] = method
    given["trackers"] = trackers
    given["default_method"] = defaults.get_start_method(allow_none=True)
    given["their_method"] = theirs._default_context.get_start_method(allow_none=True)
    given["log_to_stderr"] = util._log_to_stderr  # type: ignore[attr-defined]  # not in the stubs
    logger = util._logger  # type: ignore[attr-defined]  # not in the stubs
    given["log_level"] = None if logger is None else logger.getEffectiveLevel()
    return given


def _pidfd(pid: int) -> int:
    """Its pidfd. The pid is still its own: it waits for what it is to run."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:  # somebody has killed it in this very moment
        reader, writer = os.pipe()
        os.close(writer)
        return reader


def _close(sock: socket.socket, sentinel: int) -> None:
    sock.close()
    os.close(sentinel)


class ForkPopen(multiprocessing.popen_fork.Popen):
    """A fork of this very process, in the standard library's way, that answers too."""

    ear: Ear

    def _launch(self, process_obj: Any) -> None:
        near, far = socket.socketpair()
        self.ear = Ear(near, called(process_obj))
        self._ear_closer = util.Finalize(self, near.close, exitpriority=LAST)
        process_obj.run = reporting(process_obj.run, Mouth(far, self.ear.name), quiet=process_obj._quiet)
        process_obj._forked = True
        try:
            super()._launch(process_obj)  # type: ignore[misc]  # not in the stubs
        finally:
            del process_obj.run
            far.close()

    def send_signal(self, signum: int) -> None:
        """Send it a signal; nothing happens once it has ended."""
        self._send_signal(signum)  # type: ignore[attr-defined]  # not in the stubs

    def close(self) -> None:
        """Give back what is open here."""
        self._ear_closer()
        super().close()

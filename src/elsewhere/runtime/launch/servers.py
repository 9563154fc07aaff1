"""The fork servers of this process: started here, shared where they can be, ended at exit.

A server for "forkserver" or "spawn" is a fresh interpreter; there is one for each list of preloaded modules, and each
Launcher is a client of it, with a channel of its own. A server for "fork" is a copy of this process and belongs to one
Launcher. All of them end when our end of their channel does, whatever way this process goes; hence the law of this
file: every such end is closed in a process that the *user* forks, before any other code runs there, and none can be
missed, since forking waits for `gate`, which is held wherever one is made or closed.
"""

import atexit
import contextlib
import os
import signal
import socket
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any, Protocol

from elsewhere.errors import WorkerStartError
from elsewhere.runtime.launch import child, server, wire
from elsewhere.runtime.launch.wire import Channel

__all__ = ["ServerProcess", "abandoned", "begin", "connect", "fork", "gate", "shared", "shutdown_shared"]

# Never held while waiting for anything. Reentrant: os.fork under it takes it again.
gate = threading.RLock()


class Abandonable(Protocol):
    def abandon(self) -> None: ...
    def close(self, timeout: float = ...) -> None: ...


abandoned: weakref.WeakSet[Abandonable] = weakref.WeakSet()
"""Every Launcher that is open: its descriptors must be closed in a fork of this process."""

_shared: dict[tuple[str, tuple[str, ...]], "ServerProcess"] = {}
_hooked = False
_finalizer: Any = None

LAST = -150  # among multiprocessing's finalizers: what is below 0 comes after the processes were joined


class ServerProcess:
    """Our child, the server. `status` is its exit code once it has ended and was reaped here."""

    def __init__(self, pid: int, master: Channel | None) -> None:
        self.pid = pid
        self.master = master
        self.status: int | None = None
        self._gone = False

    def gone(self) -> bool:
        """Whether it has ended; reaps it."""
        with gate:
            if not self._gone:
                try:
                    pid, status = os.waitpid(self.pid, os.WNOHANG)
                except ChildProcessError:  # the user's own wait() was first
                    self._gone = True
                else:
                    self._gone = pid != 0
                    self.status = os.waitstatus_to_exitcode(status) if pid else None
            return self._gone

    def end(self, timeout: float) -> None:
        """Close the channel that keeps it going, wait, and kill it if it does not end. Its workers end with it."""
        with gate:
            if self.master is not None:
                self.master.close()
        if not self._wait(timeout) and not self.gone():
            os.kill(self.pid, signal.SIGKILL)
            self._wait(1.0)

    def _wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not self.gone():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.001)
        return True


def connect(method: str, preload: tuple[str, ...]) -> tuple[socket.socket, ServerProcess]:
    """A client's channel to the shared server for these, which is started if there is none or it has died."""
    with gate:
        process = begin(method, preload)
        assert process.master is not None
        near, far = socket.socketpair()
        with far:
            process.master.post(wire.CONNECT, fds=(far.fileno(),))
        if not process.master.flush():
            near.close()
            raise WorkerStartError(f"the fork server (pid {process.pid}) takes no more clients: is it stopped?")
        return near, process


def begin(method: str, preload: tuple[str, ...]) -> ServerProcess:
    """The shared server for these, started if there is none or it has died. It needs a while: ask early."""
    key = (method, preload if method == "forkserver" else ())
    with gate:
        process = _shared.get(key)
        if process is not None and process.gone():
            forget(process)
            process = None
        if process is None:
            process = _shared[key] = _start(*key)
        return process


def forget(process: ServerProcess) -> None:
    """It is known to have ended, though it may not be a zombie yet: the next Launcher starts another."""
    with gate:
        for key in [key for key, value in _shared.items() if value is process]:
            del _shared[key]
        if process.master is not None:
            process.master.close()


def _start(method: str, preload: tuple[str, ...]) -> ServerProcess:
    _hook()
    executable = _executable()
    near, far = socket.socketpair()
    # Ctrl-C reaches the server before it can ignore it: it starts with such signals blocked. stdin and stdout are not
    # its business, and somebody may be waiting for the end of either; its tracebacks go where ours go.
    source = far if far.fileno() > server.MASTER_FD else far.dup()
    with source, far:
        pid = os.posix_spawn(
            executable,
            [executable, *interpreter_flags(), "-c", server.CODE, method, ",".join(preload), "", *search_path()],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, source.fileno(), server.MASTER_FD),
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_RDWR, 0),
            ],
            setsigmask=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )
    return ServerProcess(pid, Channel(near))


def fork(inherited: object) -> tuple[socket.socket, ServerProcess]:
    """A server that is a copy of this process as it is now."""
    import fcntl  # not on Windows

    _hook()
    child.prepare()  # loads a library: not in a copy, whose dynamic linker another thread may have had locked
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # or each worker would write it again
    with gate:
        near, far = socket.socketpair()
        if far.fileno() <= 2:  # this process has closed its stdout, say; the server is to have one
            far = socket.socket(fileno=fcntl.fcntl(far, fcntl.F_DUPFD_CLOEXEC, 3))
        mask = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                near.close()
                _let_go_of_gate()
                server.serve_forked(far, inherited)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        far.close()
        return near, ServerProcess(pid, None)


def shared() -> list[tuple[int, int]]:
    """The shared servers that are running: pid, and the descriptor of ours that keeps each going."""
    with gate:
        return [(s.pid, s.master.fileno()) for s in _shared.values() if s.master is not None and not s.gone()]


def shutdown_shared(timeout: float = 1.0) -> None:
    """End the shared servers and every worker of theirs. The next Launcher starts new ones."""
    with gate:
        processes = list(_shared.values())
        _shared.clear()
        for process in processes:
            if process.master is not None:
                process.master.close()  # all at once, then wait for each
    for process in processes:
        process.end(timeout)


def search_path() -> list[str]:
    """sys.path for another process, whose folder may be another."""
    return [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]


def _executable() -> str:
    spawn = sys.modules.get("multiprocessing.spawn")  # where multiprocessing.set_executable() leaves its mark
    found = os.fsdecode(spawn.get_executable() if spawn else sys.executable or "")
    if not found:
        raise OSError("sys.executable is empty, so there is no interpreter to start workers with")
    return found


def interpreter_flags() -> Sequence[str]:
    """The command line flags that this interpreter runs with.

    As ``subprocess._args_from_interpreter_flags``, which is private and costs 10 ms to import; but with every -X.
    """
    flags = sys.flags
    counted = {
        "d": flags.debug, "B": flags.dont_write_bytecode, "S": flags.no_site, "O": flags.optimize,
        "v": flags.verbose, "b": flags.bytes_warning, "q": flags.quiet,
    }  # fmt: skip
    found = ["-" + letter * count for letter, count in counted.items() if count > 0]
    if flags.isolated:
        found.append("-I")
    else:
        single = {"E": flags.ignore_environment, "s": flags.no_user_site, "P": flags.safe_path}
        found += ["-" + letter for letter, value in single.items() if value]
    implied = {"default": flags.dev_mode, "default::BytesWarning": flags.bytes_warning == 1}
    implied["error::BytesWarning"] = flags.bytes_warning > 1
    for option in sys.warnoptions:
        if not implied.pop(option, False):
            found.append("-W" + option)
    options = dict(sys._xoptions)
    if flags.dev_mode:
        options.setdefault("dev", True)
    for name, value in options.items():
        found += ["-X", name if value is True else f"{name}={value}"]
    return found


def _hook() -> None:
    global _hooked
    with gate:
        _register_at_exit()
        if not _hooked:
            _hooked = True
            os.register_at_fork(before=gate.acquire, after_in_parent=gate.release, after_in_child=_after_fork)


def _register_at_exit() -> None:
    """Have `_at_exit` called after multiprocessing's own last things, which join our processes too.

    What is registered first is called last. Where multiprocessing was imported before, we are among its last things.
    """
    global _finalizer
    atexit.unregister(_at_exit)  # a worker that was forked from here has forgotten it, or it is there already
    util = sys.modules.get("multiprocessing.util")
    if util is None or not hasattr(util, "Finalize"):
        atexit.register(_at_exit)
        return
    if _finalizer is not None:
        _finalizer.cancel()  # the same once more; a forked process would not call its parent's
    _finalizer = util.Finalize(None, _at_exit, exitpriority=LAST)


def _let_go_of_gate() -> None:
    """In the copy that `fork` makes, which never leaves it: pools that are made in its workers need the gate."""
    with contextlib.suppress(RuntimeError):  # once for each time that this thread took it
        while True:
            gate.release()


def _at_exit() -> None:
    """What nobody closed ends before this process does, so that who waits for it finds nothing left."""
    for each in list(abandoned):
        each.close(1.0)
    shutdown_shared()


def _after_fork() -> None:
    """In a process that the user (or `fork`) has made: our ends are the parent's business alone."""
    for process in _shared.values():
        if process.master is not None:
            process.master.close()
    _shared.clear()
    for each in list(abandoned):
        each.abandon()
    abandoned.clear()
    gate.release()

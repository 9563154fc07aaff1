"""A worker from its birth to the first line of its entry: this code runs in the new process, and nowhere else.

The order is the point:

1. die with the server (PDEATHSIG, then a look at getppid: it may have died before);
2. let go of what belongs to the server, so that no worker holds another's channel;
3. say STARTED, with a pidfd, and only then close the channel to the caller. So the caller, once it reads that channel's
   end, has heard of every worker that could ever run a line of the user's code, and can watch it go;
4. stdin, stdout, stderr, signals;
5. the entry; for "spawn" by way of a fresh interpreter.
"""

import contextlib
import io
import os
import select
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from elsewhere.runtime.launch.wire import HAS_STDERR, HAS_STDOUT, STARTED, Channel, close_all

TYPE_CHECKING = False  # see __init__
if TYPE_CHECKING:
    from typing import NoReturn

ENTRY = "elsewhere.runtime.worker.main:enter"

_PR_SET_PDEATHSIG = 1

SPAWNED = (
    "import sys; sys.path[:] = sys.argv[3:];"
    "from elsewhere.runtime.launch.child import spawned as main; main(sys.argv[1], sys.argv[2])"
)

_prctl: Callable[[int, int, int, int, int], int] | None = None


def prepare() -> None:
    """Load what `die_with` needs, once, in the server, where it costs 2 ms; only Linux has it."""
    global _prctl
    if _prctl is None and sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            function = ctypes.CDLL(None).prctl
            function.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
            _prctl = function


def die_with(server: int) -> None:
    """SIGKILL this process when the server ends. Exact, as the server has one thread: it follows the *thread*."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != server:
        os._exit(1)


def announce(channel: Channel, key: int) -> None:
    """Say STARTED. Waits for room if the caller does not read: it must not learn of this worker too late."""
    pidfd = os.pidfd_open(os.getpid()) if hasattr(os, "pidfd_open") else -1
    channel.post(STARTED, key, pid=os.getpid(), fds=() if pidfd < 0 else (pidfd,))
    while not channel.flush():
        poll = select.poll()
        poll.register(channel, select.POLLOUT)
        poll.poll()
    if pidfd >= 0:
        os.close(pidfd)


def take_stdio(flags: int, fds: list[int]) -> list[int]:
    """Put the caller's stdout and stderr in place (/dev/null for one that is closed); returns the other descriptors."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    leading: list[int] = []
    for target, flag in ((1, HAS_STDOUT), (2, HAS_STDERR)):
        if flags & flag:
            leading.append(fds[len(leading)])
            os.dup2(leading[-1], target)
        else:
            os.dup2(null, target)
    close_all([null, *leading])
    return fds[len(leading) :]


def buffer_stdout() -> None:
    """By line on a terminal: this interpreter's stdout was /dev/null when it made ``sys.stdout``."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=os.isatty(1))


def take_signals(dispositions: Mapping[int, object]) -> None:
    """The signals as in a fresh interpreter; SIGINT stays blocked until `run` calls the entry."""
    signal.set_wakeup_fd(-1)
    for signum, handler in dispositions.items():
        signal.signal(signum, handler)  # type: ignore[arg-type]  # it came from signal.getsignal
    signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGINT])


def run(entry: str, fds: list[int], inherited: object) -> "NoReturn":
    """Call the entry and end the process. Ctrl-C before the entry has a handler of its own leaves no traceback."""
    status = 1
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        module, _, name = entry.partition(":")
        getattr(__import__(module, fromlist=[name]), name)(fds, inherited)
        status = 0
    except SystemExit as error:
        status = _exit_code(error.code)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001 - shown as the interpreter would, whatever it is
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(status)


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def interpreter() -> list[str]:
    """How this interpreter was called, up to the ``-c``: the flags of the caller, which the server was given."""
    return [sys.executable, *sys.orig_argv[1 : sys.orig_argv.index("-c")]]


def spawn(entry: str, path: Sequence[str], fds: Sequence[int]) -> "NoReturn":
    """Become a fresh interpreter that calls the entry; descriptors are passed by their numbers."""
    for fd in fds:
        os.set_inheritable(fd, True)
    command = interpreter()
    os.execv(command[0], [*command, "-c", SPAWNED, entry, ",".join(map(str, fds)), *path])


def spawned(entry: str, numbers: str) -> "NoReturn":
    """The first lines of a fresh interpreter."""
    fds = [int(number) for number in numbers.split(",") if number]
    for fd in fds:
        os.set_inheritable(fd, False)
    forget_bootstrap()
    run(entry, fds, None)


def forget_bootstrap() -> None:
    """Leave nothing of ours in ``__main__`` and in ``sys.argv``: both are the user's."""
    for name in ("main", "sys"):
        vars(sys.modules["__main__"]).pop(name, None)
    sys.argv[1:] = []

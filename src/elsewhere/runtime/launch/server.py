"""The fork server's loop: requests in, workers and their exit statuses out. One thread, no threads ever.

The server is told by its poll alone: a channel that ends means that the caller is gone, and what it had is killed at
once, but for the workers that may outlive it; for those the server stays. Signals to a worker are sent from here
because only a parent that has not reaped it yet can be sure whom they hit.

The terminal's signals reach the whole process group. The server ignores them all (SIGINT, SIGTERM, SIGHUP, SIGQUIT,
SIGTSTP): a caller that survives one, to finish in order, still has its server; of one that does not, the server reads
the end of the channel and leaves nothing behind. Workers get the dispositions back that the server had found.
"""

import contextlib
import gc
import marshal
import os
import select
import signal
import socket
import sys
from collections import deque
from collections.abc import Iterable

from elsewhere.runtime.launch import child, wire
from elsewhere.runtime.launch.wire import Channel, Record

TYPE_CHECKING = False  # see __init__
if TYPE_CHECKING:
    from typing import NoReturn

MASTER_FD = 3

CODE = "import sys; sys.path[:] = sys.argv[4:];from elsewhere.runtime.launch.server import main; main(*sys.argv[1:4])"


class Client:
    """One Launcher, as its server sees it."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.inbox: deque[Record] = deque()
        self.workers: dict[int, int] = {}  # key → pid
        self.outliving: set[int] = set()  # those that may go on without their caller
        self.entry = ""
        self.path: list[str] = []
        self.leaving = False


class Server:
    """The loop. With a master channel it is an interpreter of its own and takes clients; else a copy of its caller."""

    def __init__(
        self,
        master: Channel | None,
        *,
        fresh: bool = False,
        warnings: Iterable[str] = (),
        inherited: object = None,
        collecting: bool = True,
    ) -> None:
        self.pid = os.getpid()
        self._master = master
        self._inherited = inherited
        self._collecting = collecting
        self._fresh = fresh  # an interpreter of its own for each worker
        self._warnings = list(warnings)
        self._clients: dict[int, Client] = {}
        self._workers: dict[int, tuple[Client, int]] = {}  # pid → whose, key
        self._poll = select.poll()
        self._wake, self._wake_end = os.pipe()
        self._dispositions = self._take_signals()
        self._poll.register(self._wake, select.POLLIN)
        if master is not None:
            self._poll.register(master, select.POLLIN)

    def _take_signals(self) -> dict[int, object]:
        """Returns what a worker is to put back; what was ignored before, as under nohup, stays so."""
        dispositions: dict[int, object] = {}
        for signum in signal.valid_signals():
            handler = signal.getsignal(signum)
            if callable(handler) or (handler is signal.SIG_DFL and signum in _GROUP_SIGNALS):
                dispositions[signum] = signal.SIG_DFL
                signal.signal(signum, signal.SIG_IGN)
        dispositions |= {
            signal.SIGINT: signal.default_int_handler,
            signal.SIGTERM: signal.SIG_DFL,
            signal.SIGCHLD: signal.SIG_DFL,
        }
        os.set_blocking(self._wake, False)
        os.set_blocking(self._wake_end, False)
        signal.set_wakeup_fd(self._wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        return dispositions

    def adopt(self, sock: socket.socket) -> Client:
        """Serve one more."""
        client = self._clients[sock.fileno()] = Client(Channel(sock))
        self._poll.register(sock, select.POLLIN)
        return client

    def run(self) -> "NoReturn":
        """Serve until the master channel, or the only client's, ends."""
        while True:
            for fd, mask in self._poll.poll():
                if fd == self._wake:
                    self._reap()
                elif self._master is not None and fd == self._master.fileno():
                    self._greet(self._master)
                elif client := self._clients.get(fd):
                    self._attend(client, mask)

    def _greet(self, master: Channel) -> None:
        for record in master.receive():
            if record.torn:  # no descriptor is left: that client's channel has just been lost
                self._end(spare=False)  # because a channel that ends must always mean that the server did
            self.adopt(socket.socket(fileno=record.fds[0]))
        if master.eof:
            self._end()

    def _attend(self, client: Client, mask: int) -> None:
        if mask & select.POLLIN:
            client.inbox.extend(client.channel.receive())
        if client.channel.eof or mask & (select.POLLHUP | select.POLLERR):
            self._drop(client)
            return
        client.channel.flush()
        while client.inbox and not client.channel.pending:
            self._obey(client, client.inbox.popleft())
        # A caller that does not read its answers is not read either: what is kept for it stays small.
        wants = select.POLLOUT if client.channel.pending else select.POLLIN
        self._poll.modify(client.channel, wants)

    def _obey(self, client: Client, record: Record) -> None:
        if record.kind == wire.START and not client.leaving:
            self._start(client, record)
        elif record.kind == wire.SIGNAL and record.key in client.workers:
            with contextlib.suppress(OSError):
                os.kill(client.workers[record.key], record.number)
        elif record.kind == wire.HELLO:
            client.entry, client.path = marshal.loads(record.payload)
            if client.entry.startswith("elsewhere.") and not self._fresh:
                with contextlib.suppress(Exception):  # each worker says for itself what is wrong with it
                    __import__(client.entry.partition(":")[0])  # our own code, once, instead of in each worker
            for text in self._warnings:
                client.channel.post(wire.WARNING, payload=text.encode(errors="replace"))
        elif record.kind == wire.BYE:
            client.leaving = True
            self._kill(client)
            self._part(client)
        record.close()

    def _start(self, client: Client, record: Record) -> None:
        # Blocked from before the fork: a signal that is sent to the worker at once must wait until it is one.
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        try:
            if record.torn:
                raise OSError("the fork server has too many open files")
            pid = os.fork()
        except OSError as error:
            text = f"a worker could not be started: {error}"
            client.channel.post(wire.WARNING, payload=text.encode(errors="replace"))
            client.channel.post(wire.EXITED, record.key, flags=wire.UNKNOWN)
        else:
            if pid == 0:
                self._become_worker(client, record)
            client.workers[record.key] = pid
            if record.flags & wire.OUTLIVES:
                client.outliving.add(pid)
            self._workers[pid] = client, record.key
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    def _become_worker(self, client: Client, record: Record) -> "NoReturn":
        try:
            child.die_with(self.pid)
            self._let_go(client)
            child.announce(client.channel, record.key)
            client.channel.close()
            fds = child.take_stdio(record.flags, record.fds)
            child.take_signals(self._dispositions)
            if self._fresh:
                child.spawn(client.entry, client.path, fds)
            if self._master is not None:
                sys.path[:] = client.path
                child.buffer_stdout()
            if self._collecting:
                gc.enable()
        except BaseException:  # noqa: BLE001 - a worker must never go on as a second server
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        child.run(client.entry, fds, self._inherited)

    def _let_go(self, keep: Client) -> None:
        os.close(self._wake)
        os.close(self._wake_end)
        if self._master is not None:
            self._master.close()
        for client in self._clients.values():
            for record in client.inbox:
                record.close()
            if client is not keep:
                client.channel.close()

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid in self._workers:
                    client, key = self._workers.pop(pid)
                    del client.workers[key]
                    client.outliving.discard(pid)
                    self._report(client, key, pid, os.waitstatus_to_exitcode(status))

    def _report(self, client: Client, key: int, pid: int, code: int) -> None:
        if client.channel.sock.fileno() < 0:
            return
        client.channel.post(wire.EXITED, key, pid=pid, number=code)
        self._part(client)
        if client.channel.pending:
            self._poll.modify(client.channel, select.POLLOUT)

    def _part(self, client: Client) -> None:
        if client.leaving and not client.workers:
            client.channel.post(wire.DONE)

    def _kill(self, client: Client, *, spare: bool = False) -> None:
        for pid in client.workers.values():
            if spare and pid in client.outliving:
                continue
            with contextlib.suppress(PermissionError):  # it has become another user
                os.kill(pid, signal.SIGKILL)

    def _drop(self, client: Client) -> None:
        """Its caller is gone: so are its workers, but those that may go on. A server forked for it has no other."""
        self._kill(client, spare=True)
        self._poll.unregister(client.channel)
        del self._clients[client.channel.fileno()]
        client.channel.close()
        for record in client.inbox:
            record.close()
        if self._master is None:
            self._end()

    def _end(self, *, spare: bool = True) -> "NoReturn":
        for client in {client for client, _ in self._workers.values()}:
            self._kill(client, spare=spare)
        if spare and any(client.outliving for client, _ in self._workers.values()):
            self._retire()
        with contextlib.suppress(ChildProcessError):
            while True:  # reaped here: process 1 of a container may be no reaper
                os.wait()
        os._exit(0)

    def _retire(self) -> None:
        """Nobody is served any more, and nobody is to wait for the end of what is open here."""
        for client in self._clients.values():
            client.channel.close()
        if self._master is not None:
            self._master.close()
        _null_stdio((2,))


_GROUP_SIGNALS = frozenset(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP")
    if hasattr(signal, name)  # Windows, where this is only imported
)


def _nothing(*_: object) -> None:
    """Python writes to the wake-up descriptor only for signals that have a handler."""


def main(method: str, preload: str, left_out: str) -> None:
    """The server's first lines when it is an interpreter of its own; its signals are still blocked."""
    from elsewhere.runtime.launch import preload as modules

    with contextlib.suppress(OSError):  # what the caller had left inheritable, by mistake or for another program
        wire.close_all([fd for fd in map(int, os.listdir("/dev/fd")) if fd > MASTER_FD])
    _null_stdio(())
    os.set_inheritable(MASTER_FD, False)
    child.forget_bootstrap()
    master = Channel(socket.socket(fileno=MASTER_FD))
    child.prepare()
    warnings = modules.load(preload, left_out) if method == "forkserver" else []
    Server(master, fresh=method == "spawn", warnings=warnings).run()


def serve_forked(sock: socket.socket, inherited: object) -> "NoReturn":
    """The same in a copy of the caller's process, whose memory the workers are to have; `child.prepare` was called."""
    try:
        collecting = gc.isenabled()
        gc.disable()  # no finalizer of the user's may run here
        gc.freeze()  # and the pages stay shared with the workers
        _null_stdio((0, 1))
        server = Server(None, inherited=inherited, collecting=collecting)
        server.adopt(sock)
        server.run()
    except BaseException:  # noqa: BLE001 - nor may this copy go on as a second caller
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _null_stdio(replaced: Iterable[int]) -> None:
    """/dev/null for these, and for each of the three that is closed, before something gets its number."""
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:
        null = os.open(os.devnull, os.O_RDWR)
    for fd in replaced:
        os.dup2(null, fd)
    os.close(null)

"""What a test leaves behind: processes, threads, file descriptors, shared memory, temporary files.

    before = Snapshot.take()
    ...                                         # the test
    assert left_behind(before, patience=5) == []

A look costs well under a millisecond, so that `conftest.py` takes one before and one after every test. What is still
there then is waited for, since a thread that was joined a moment ago or a process that was just killed takes a while
to go; what stays longer than the patience is a leak, and is named: the process by its command line, the thread by its
name, the file descriptor by what it points to.

Blocks of shared memory have no names; what counts is what is mapped here and is not kept warm by a pool that is open.

A process is ours when it descends from this one, or, if its parents have died since, when it carries the mark that
`mark_children` puts into the environment. Allowed are only the few things that live on by design, see `allowed`.

Everything is read from Linux's /proc; on other systems nothing is ever found.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SUPPORTED = sys.platform == "linux"
SHM = "/dev/shm"
MARK = "ELSEWHERE_TEST_RUN"


def mark_children() -> None:
    """Let each process that is started from here on carry the id of this run."""
    os.environ[MARK] = str(os.getpid())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was there at one moment."""

    pids: frozenset[int]
    threads: frozenset[threading.Thread]
    fds: Counter[str]  # what they point to: numbers are used again, inodes of pipes and sockets hardly
    shm: frozenset[str]
    temp: frozenset[str]
    blocks: frozenset[str]

    @classmethod
    def take(cls) -> Snapshot:
        if not SUPPORTED:
            return cls(frozenset(), frozenset(), Counter(), frozenset(), frozenset(), frozenset())
        return cls(
            pids=frozenset(_pids()),
            threads=frozenset(threading.enumerate()),
            fds=Counter(_fds().values()),
            shm=frozenset(_names(SHM)),
            temp=frozenset(_names(tempfile.gettempdir())),
            blocks=frozenset(_blocks().values()),
        )


@dataclass(slots=True)
class Found:
    """What is there now and was not before."""

    processes: list[Process]
    threads: list[threading.Thread]
    fds: list[tuple[int, str]]
    shm: list[str]
    temp: list[str]
    blocks: list[int]

    def __bool__(self) -> bool:
        return bool(self.processes or self.threads or self.fds or self.shm or self.temp or self.blocks)

    def describe(self) -> list[str]:
        return [
            *(f"process {process.pid}: {process.describe()}" for process in self.processes),
            *(f"thread {thread.name!r}{' (daemon)' * thread.daemon}" for thread in self.threads),
            *(f"file descriptor {fd} -> {target}{_socket_ends(fd, target)}" for fd, target in self.fds),
            *(f"shared memory {SHM}/{name}" for name in self.shm if not _mapped_by_stranger(f"{SHM}/{name}")),
            *(f"temporary file {os.path.join(tempfile.gettempdir(), name)}" for name in self.temp),
            *(f"block of shared memory, mapped at {address:x}" for address in self.blocks),
        ]

    def wait(self, seconds: float) -> None:
        """Return when one of these has gone, or after so many seconds."""
        alive = [process.pid for process in self.processes if not process.zombie]
        if alive:
            _wait_for_exit(alive, seconds)
        elif self.threads:
            self.threads[0].join(seconds)
        else:
            threading.Event().wait(seconds)


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    name: str
    state: str

    @property
    def zombie(self) -> bool:
        return self.state == "Z"

    def describe(self) -> str:
        if self.zombie:
            return f"{self.name} (a zombie: it has ended, and its parent {self.parent} never waited for it)"
        command = _read(f"/proc/{self.pid}/cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
        return f"{command or self.name} (child of {self.parent})"


def left_behind(before: Snapshot, patience: float) -> list[str]:
    """Name what is there now, was not before, and does not go away within so many seconds."""
    if not SUPPORTED:
        return []
    started = time.monotonic()
    pause, collected = 0.001, False
    while found := look(before):
        waited = time.monotonic() - started
        if waited >= patience:
            return found.describe()
        if waited > min(0.5, patience / 10) and not collected:
            gc.collect()  # what only a cycle of garbage still holds is not leaked; too slow for the usual way
            collected = True
        found.wait(min(pause, patience - waited))
        pause = min(2 * pause, 0.1)
    return []


def look(before: Snapshot) -> Found:
    """What is there now and was not before, without waiting."""
    allowed_pids, allowed_fds, allowed_temp = allowed()
    counts = Counter(before.fds)
    fds = []
    for fd, target in _fds().items():
        if fd in allowed_fds:
            continue
        counts[target] -= 1
        if counts[target] < 0:
            fds.append((fd, target))
    return Found(
        processes=_ours(pid for pid in _pids() if pid not in before.pids and pid not in allowed_pids),
        threads=[
            thread
            for thread in threading.enumerate()
            # A dummy stands for a thread that Python did not start, and never leaves the list.
            if thread not in before.threads and not isinstance(thread, threading._DummyThread)
        ],
        fds=fds,
        shm=sorted(set(_names(SHM)) - before.shm),
        temp=sorted(set(_names(tempfile.gettempdir())) - before.temp - allowed_temp),
        blocks=[address for address, inode in _blocks().items() if inode not in before.blocks],
    )


def allowed() -> tuple[set[int], set[int], set[str]]:
    """The process ids, file descriptors and temporary files that live on by design, as long as the process.

    Ours are the shared fork servers. The standard library's are the helpers of multiprocessing, which a test may
    have started through it: the resource tracker, the fork server, and the folder of their sockets. A client of Dask's
    that is open keeps connections warm, as many as it needed at once.
    """
    pids: set[int] = set()
    fds: set[int] = set()
    temp: set[str] = set()
    if shared := getattr(sys.modules.get("elsewhere.runtime.launch"), "shared", None):
        for pid, fd in shared():
            pids.add(pid)
            fds.add(fd)
    if tracker := sys.modules.get("multiprocessing.resource_tracker"):
        pids.add(tracker._resource_tracker._pid)
        fds.add(tracker._resource_tracker._fd)
    if forkserver := sys.modules.get("multiprocessing.forkserver"):
        pids.add(forkserver._forkserver._forkserver_pid)
        fds.add(forkserver._forkserver._forkserver_alive_fd)
    if process := sys.modules.get("multiprocessing.process"):
        temp.add(os.path.basename(process.current_process()._config.get("tempdir") or ""))
    fds.update(block.fd for block in _warm_blocks())
    fds.update(_warm_connections())
    return pids, fds, temp


def _warm_connections() -> Iterable[int]:
    """The descriptors of connections that open clients of Dask's keep for their next requests."""
    module = sys.modules.get("distributed.client")
    for client in list(module.Client._instances) if module else ():
        if client.status == "running":
            for kept in (client.rpc.available, client.rpc.occupied):
                for comm in [comm for comms in list(kept.values()) for comm in list(comms)]:
                    if (stream := getattr(comm, "stream", None)) is not None and not stream.closed():
                        yield stream.socket.fileno()


def _warm_blocks() -> list[Any]:
    """The shared memory that a pool which is still open keeps for its next calls."""
    module = sys.modules.get("elsewhere.runtime.memory.store")
    return [block for store in list(module.stores) for block in store.warm()] if module else []


def _blocks() -> dict[int, str]:
    """Address and inode of each block of shared memory that somebody uses, or nobody knows of."""
    module = sys.modules.get("elsewhere.runtime.memory.mapping")
    if module is None or module._system is None:
        return {}
    found = {}
    for line in _read("/proc/self/maps").decode(errors="replace").splitlines():
        if "memfd:elsewhere-block" in line:
            found[int(line.partition("-")[0], 16)] = line.split()[4]
    for block in _warm_blocks():
        found.pop(block.mapping.address, None)
    if lease := sys.modules.get("elsewhere.runtime.memory.lease"):
        for leases in list(lease.senders):
            leases.settle()
            for borrowed in list(leases.known.values()):
                if not borrowed.uses:
                    found.pop(borrowed.mapping.address, None)
    return found


def close_shared_pool() -> None:
    """Close the process-wide pool of `elsewhere.map`, which would else live on for its idle seconds."""
    if shared := sys.modules.get("elsewhere.pool.shared"):
        shared.shutdown()


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _fds() -> dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the descriptor that listed the folder
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _read(path: str) -> bytes:
    """The file's bytes; none if the process has gone, or is not ours to read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _process(pid: int) -> Process | None:
    stat = _read(f"/proc/{pid}/stat").decode(errors="replace")
    if not stat:
        return None
    # "pid (name) state parent ...", and the name may hold anything, brackets too
    state, parent = stat[stat.rindex(")") + 2 :].split(maxsplit=2)[:2]
    return Process(pid, int(parent), stat[stat.index("(") + 1 : stat.rindex(")")], state)


def _ours(pids: Iterable[int]) -> list[Process]:
    mark = f"{MARK}={os.getpid()}".encode()
    ours = []
    for pid in pids:
        process = _process(pid)
        if process and (_descends(process) or mark in _read(f"/proc/{pid}/environ").split(b"\0")):
            ours.append(process)
    return ours


def _descends(process: Process | None) -> bool:
    while process and process.parent > 1:
        if process.parent == os.getpid():
            return True
        process = _process(process.parent)
    return False


def _wait_for_exit(pids: list[int], seconds: float) -> None:
    with contextlib.ExitStack() as stack:
        poll = select.poll()
        for pid in pids:
            try:
                fd = os.pidfd_open(pid)
            except ProcessLookupError:
                return
            stack.callback(os.close, fd)
            poll.register(fd, select.POLLIN)
        poll.poll(seconds * 1000)


def _socket_ends(fd: int, target: str) -> str:
    """The family and addresses of a socket: its inode alone tells nobody whose it is."""
    if not target.startswith("socket:"):
        return ""
    try:
        with socket.socket(fileno=os.dup(fd)) as sock:
            return f" ({sock.family.name}, {sock.type.name}, bound to {sock.getsockname()!r})"
    except OSError:
        return ""


def _mapped_by_stranger(path: str) -> bool:
    """/dev/shm is everybody's: does a process that is not ours use this block?"""
    strangers = set(_pids()) - {os.getpid()}
    strangers -= {process.pid for process in _ours(strangers)}
    return any(path.encode() in _read(f"/proc/{pid}/maps") for pid in strangers)

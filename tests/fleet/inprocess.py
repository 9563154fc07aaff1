"""Hundreds of hosts in one program: asyncssh as a server on many loopback addresses, with a real `sh`, and with faults.

A program of its own, so that what it computes is not counted with ours; it ends, with all that it has started, when its
stdin does::

    with inprocess(folder, plain(1000) | {"127.16.9.1": "hung"}) as yard:
        Fleet(*yard.hosts, port=yard.port, ...)
        yard.tell("drop", "127.16.0.1")

A host's kind is how it answers, one of `KINDS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import asyncssh

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60.0  # seconds until it listens, and until it has ended
KINDS = {
    "well": "as a host should",
    "dead": "nothing listens there",
    "hung": "accepts connections, and never says a word",
    "changed": "its key is not the one in known_hosts",
    "unknown": "its key is not in known_hosts",
    "slow": "waits for SLOW seconds before its first word",
    "refuses": "lets nobody in",
    "stranger": "is no sshd: it speaks HTTP",
    "closes": "closes each connection at once, as an sshd that has too many",
}
SLOW = 1.0  # seconds


class Yard(NamedTuple):
    """One that runs; made like `tests.fleet.sshd.Sshd`, so that either does.

    Attributes:
        hosts: all addresses, in their order.
        kinds: of each.
        port: the same on each.
        user: who may log in.
        key: the file of the key that opens them.
        known_hosts: a file with their keys.
        pid: of the program.
        tell: ``tell("drop", address)`` breaks a host's connections off, as a cut cable does; ``"down"`` also has it
            listen no more, ``"up"`` again; returns when that is done.
    """

    hosts: list[str]
    kinds: dict[str, str]
    port: int
    user: str
    key: Path
    known_hosts: Path
    pid: int
    tell: Callable[[str, str], None]


def plain(many: int, kind: str = "well", *, first: int = 0, net: str = "127.16") -> dict[str, str]:
    """So many addresses of a kind, from the one with that number on: ``127.16.0.1`` is number 0."""
    return {f"{net}.{n // 250}.{n % 250 + 1}": kind for n in range(first, first + many)}


@contextlib.contextmanager
def inprocess(folder: Path, kinds: Mapping[str, str], *, user: str = "") -> Iterator[Yard]:
    """Run one.

    Args:
        folder: for its files.
        kinds: of each address.
        user: who may log in; who runs the tests by default. Commands run as who runs the tests anyway.
    """
    assert set(kinds.values()) <= set(KINDS)
    user = user or getpass.getuser()
    keys = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("host_key", "other_key", "key")}
    for name, key in keys.items():
        key.write_private_key(folder / name)
        key.write_public_key(folder / f"{name}.pub")
    os.chmod(folder / "key", 0o600)
    with socket.socket() as free:
        free.bind((next(iter(kinds)), 0))
        port = free.getsockname()[1]
    shown = {name: key.export_public_key().decode().strip() for name, key in keys.items()}
    known = {"changed": shown["other_key"], "unknown": ""}
    lines = {address: known.get(kind, shown["host_key"]) for address, kind in kinds.items()}
    (folder / "known_hosts").write_text("".join(f"[{host}]:{port} {line}\n" for host, line in lines.items() if line))
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.fleet.inprocess"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, process_group=0,
    )  # fmt: skip
    assert program.stdin is not None
    assert program.stdout is not None
    told, said = program.stdin, program.stdout

    def tell(*words: Any) -> None:
        told.write(json.dumps(words) + "\n")
        told.flush()
        assert said.readline() == "done\n"

    try:
        tell("begin", {"folder": str(folder), "port": port, "user": user, "kinds": dict(kinds)})
        yield Yard(list(kinds), dict(kinds), port, user, folder / "key", folder / "known_hosts", program.pid, tell)
    finally:
        told.close()
        try:
            program.wait(PATIENCE)
        finally:
            program.kill()
            program.wait()
            said.close()


# ---- the program -----------------------------------------------------------------------------------------------------


class _Server(asyncssh.SSHServer):
    """Who has the key may log in, and reach other hosts through this one."""

    def __init__(self, yard: _Yard, refuses: bool) -> None:
        self._yard = yard
        self._refuses = refuses

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._yard.connections.setdefault(conn.get_extra_info("sockname")[0], set()).add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        for connections in self._yard.connections.values():
            connections.discard(self._connection)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return not self._refuses and username == self._yard.user and key == self._yard.key

    def connection_requested(self, *where: Any) -> bool:
        return True

    def server_requested(self, *where: Any) -> bool:
        return True

    def unix_connection_requested(self, *where: Any) -> bool:
        return True

    def unix_server_requested(self, *where: Any) -> bool:
        return True


class _Yard:
    """All hosts of one program."""

    def __init__(self, folder: str, port: int, user: str, kinds: dict[str, str]) -> None:
        self.connections: dict[str, set[asyncssh.SSHServerConnection]] = {}
        self.user = user
        self.key = asyncssh.read_public_key(Path(folder) / "key.pub")
        self._kinds = kinds
        self._port = port
        self._listening: dict[str, Any] = {}
        self._shells: set[int] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._options = {
            refuses: asyncssh.SSHServerConnectionOptions(
                server_factory=lambda refuses=refuses: _Server(self, refuses),
                server_host_keys=[asyncssh.read_private_key(Path(folder) / "host_key")],
                process_factory=self._run,
                encoding=None,
                sftp_factory=True,
                allow_pty=False,
                agent_forwarding=False,
                login_timeout=120,
            )
            for refuses in (False, True)
        }

    async def listen(self, address: str) -> None:
        kind = self._kinds[address]
        if kind == "dead":
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((address, self._port))
        listener.listen(128)
        options = self._options[kind == "refuses"]
        if kind == "hung":  # the kernel accepts
            self._listening[address] = listener
        elif kind == "stranger":
            self._listening[address] = await asyncio.start_server(_stranger, sock=listener)
        elif kind == "closes":
            self._listening[address] = await asyncio.start_server(lambda _, writer: writer.close(), sock=listener)
        elif kind == "slow":
            self._listening[address] = listener
            self._go(self._accept_slowly(listener))
        else:
            self._listening[address] = await asyncssh.listen(sock=listener, options=options)

    def listen_no_more(self, address: str) -> None:
        self._listening.pop(address).close()

    def drop(self, address: str) -> None:
        for connection in list(self.connections.get(address, ())):
            connection.abort()

    async def _accept_slowly(self, listener: socket.socket) -> None:
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            self._go(self._serve_slowly(sock))

    async def _serve_slowly(self, sock: socket.socket) -> None:
        await asyncio.sleep(SLOW)
        with contextlib.suppress(OSError, asyncssh.Error):
            await asyncssh.run_server(sock, options=self._options[False])

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """A command, in a session of its own, as sshd does it."""
        command = process.command
        arguments: list[Any] = [] if command is None else ["-c", command]
        shell = _shell(arguments)
        self._shells.add(shell.pid)
        self._go(_in(process, shell.stdin))
        streams = [(shell.stdout, process.stdout), (shell.stderr, process.stderr)]
        await asyncio.gather(*(self._go(_out(*both)) for both in streams))  # which keeps them from being collected
        status = await _ended(shell)
        self._shells.discard(shell.pid)
        with contextlib.suppress(OSError, asyncssh.Error):
            if status < 0:
                process.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
            else:
                process.exit(status)

    def _go(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def tell(self, what: str, address: str) -> None:
        if what in {"drop", "down"}:
            self.drop(address)
        if what == "down":
            self.listen_no_more(address)
        if what == "up":
            await self.listen(address)

    def kill(self) -> None:
        for group in self._shells:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


def _shell(arguments: list[Any]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE  # asyncio's own way to start one takes several times as long
    return subprocess.Popen(["/bin/sh", *arguments], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)


async def _stranger(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
    writer.close()


async def _in(process: asyncssh.SSHServerProcess[bytes], pipe: Any) -> None:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await process.stdin.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _out(pipe: Any, writer: Any) -> None:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    transport.close()


async def _ended(shell: subprocess.Popen[bytes]) -> int:
    """Its exit status, which is waited for without a thread."""
    fd = os.pidfd_open(shell.pid)
    readable = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(fd, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
    return shell.wait()


async def main() -> None:
    """Until the end of stdin."""
    yard: _Yard | None = None
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, *rest = json.loads(line)
        if what == "begin":
            yard = _Yard(**rest[0])
            for address in rest[0]["kinds"]:
                await yard.listen(address)
        else:
            assert yard is not None
            await yard.tell(what, rest[0])
        print("done", flush=True)
    if yard is not None:
        yard.kill()
        os._exit(0)  # nothing of a thousand connections needs to be told


if __name__ == "__main__":
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))
    asyncio.run(main())  # not uvloop: it closes the descriptors of pipes twice, the second time somebody else's

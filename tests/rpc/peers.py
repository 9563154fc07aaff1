"""Peers that speak MessagePack-RPC over raw sockets, in all their moods: threads of the test, or processes to kill.

with Peer(polite) as peer:                  # a mood is a function that gets each connection
    connect(peer.address)

with Process() as process:                  # the polite peer as a process
    os.kill(process.pid, signal.SIGKILL)
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgpack

BOUND = 20.0  # seconds that a peer waits for anything at most
HELLO = {"version": 1, "features": ["call", "cancel", "methods"], "idempotent": ["safe"]}


class Conversation:
    """One connection of a peer."""

    def __init__(self, peer: Peer, sock: socket.socket, number: int) -> None:
        self.peer = peer
        self.sock = sock
        self.number = number  # of the connection, from 0
        self._unpacker = msgpack.Unpacker(
            strict_map_key=False, max_buffer_size=2**31 - 1, unicode_errors="surrogateescape"
        )

    def messages(self) -> Iterator[list[Any]]:
        """What the client says, until it goes."""
        while True:
            yield from self._unpacker
            try:
                data = self.sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            self._unpacker.feed(data)

    def next(self) -> list[Any]:
        return next(self.messages())

    def request(self) -> list[Any]:
        """The next request that is none of ours, to which a plain peer answers an error."""
        for message in self.messages():
            if message[0] == 0 and not message[2].startswith("rpc."):
                return message
            if message[0] == 0:
                self.error(message, "no such method")
        raise AssertionError("the client went away")

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def answer(self, message: list[Any], result: Any) -> None:
        self.send(msgpack.packb([1, message[1], None, result], unicode_errors="surrogateescape"))

    def error(self, message: list[Any], error: Any, result: Any = None) -> None:
        self.send(msgpack.packb([1, message[1], error, result]))

    def reset(self) -> None:
        """End it the hard way."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def until_gone(self) -> None:
        """Say nothing more."""
        for _ in self.messages():
            pass


Mood = Callable[[Conversation], Any]


def execute(conversation: Conversation, message: list[Any]) -> None:
    """What a polite peer does with a message."""
    kind, msgid, *rest = message
    if kind != 0:
        conversation.peer.heard.append(message)
        return
    method, params = rest
    if method == "rpc.hello" and conversation.peer.ours:
        conversation.peer.greetings.append(params[0])
        conversation.answer(message, HELLO)
        return
    if method == "rpc.hello":
        conversation.error(message, "what?")
        return
    if method == "rpc.call":
        method, params, conversation.peer.kwargs, conversation.peer.told = params
        message = [0, msgid, method, params]
    conversation.peer.executed.append((method, *params))
    if method == "double":
        conversation.answer(message, params[0] * 2)
    elif method in {"echo", "safe", "a.b.c", "call", "submit"}:
        conversation.answer(message, params[0] if params else None)
    elif method == "args":
        conversation.answer(message, [params, conversation.peer.kwargs])
    elif method == "fail":
        conversation.error(message, *params)
    elif method != "hang":
        conversation.error(message, f"{method!r} method not found")


def polite(conversation: Conversation) -> None:
    for message in conversation.messages():
        execute(conversation, message)


class Peer:
    """See the module.

    Attributes:
        executed: what was called, in order, without what begins with ``rpc.``.
        heard: notifications and answers that came.
    """

    def __init__(self, mood: Mood = polite, *, ours: bool = False, path: str | None = None) -> None:
        self.mood = mood
        self.ours = ours
        self.executed: list[tuple[Any, ...]] = []
        self.heard: list[Any] = []
        self.greetings: list[dict[str, Any]] = []
        self.kwargs: Any = None
        self.told: Any = None
        self.connections = 0
        self.errors: list[BaseException] = []
        self._path = path
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []

    def __enter__(self):
        if self._path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(self._path)
            self._listener.listen()
            self.address = f"unix://{self._path}"
        else:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._stop, self._stopped = socket.socketpair()
        self._start(self._accept)
        return self

    def _start(self, target: Callable[..., Any], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._stopped], [], [])
            if self._stopped in ready:
                return
            sock, _ = self._listener.accept()
            sock.settimeout(BOUND)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socks.append(sock)
            self.connections += 1
            self._start(self._serve, sock, self.connections - 1)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.closing(sock):
            try:
                self.mood(Conversation(self, sock, number))
            except OSError:
                return
            except BaseException as error:
                self.errors.append(error)

    def stop(self) -> None:
        """Listen no more, and end all connections."""
        if self._stop.fileno() == -1:
            return
        self._stop.close()
        self._threads[0].join(BOUND)
        self._listener.close()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(BOUND)
        self._stopped.close()

    def __exit__(self, kind, error, trace):
        self.stop()
        if error is None and self.errors:
            raise self.errors[0]


class Process:
    """The polite peer as a process of its own."""

    def __init__(self, port: int = 0) -> None:
        command = [sys.executable, "-m", "tests.rpc.peers", str(port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.pid = self._process.pid

    def __enter__(self):
        return self

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        if number == signal.SIGSTOP:  # sent is not stopped
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def __exit__(self, *exc_info):
        self.kill()
        for stream in (self._process.stdout, self._process.stdin):
            stream.close()


def main(port: int) -> None:
    listener = socket.create_server(("127.0.0.1", port))
    peer = Peer()
    print(listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=polite, args=(Conversation(peer, sock, 0),), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))

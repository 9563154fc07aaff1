"""Something between a client and a server that passes bytes on until it is told to do harm.

::

    cut        it hangs up on both
    reset      ... with a reset
    garbage    64 bytes of noise go instead of what would have come
    half-open  it hangs up on who was sending; the other hears nothing of that, and nothing more
    stalled    both stay connected, and nothing is passed on any more
"""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
import time

FAULTS = ["cut", "reset", "garbage", "half-open", "stalled"]
TO_SERVER, TO_CLIENT = "to the server", "to the client"
NOISE = random.Random(3).randbytes(64)


class Relay:
    """Passes one connection on to a port of this machine.

    Args:
        port: the server's.
        fault: one of `FAULTS`.
        direction: in which it happens.
        offset: after how many bytes there.

    Attributes:
        address: what to connect to, without the scheme.
        passed: bytes, by direction.
        done: the moment of the harm; 0.0 if nothing was done.
    """

    def __init__(self, port: int, fault: str, direction: str, offset: int) -> None:
        self._port, self._fault, self._direction, self._offset = port, fault, direction, offset
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._wake, self._woken = socket.socketpair()
        self.address = f"localhost:{self._listener.getsockname()[1]}"
        self.passed = {TO_SERVER: 0, TO_CLIENT: 0}
        self.done = 0.0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._wake.close()
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._woken.close()
        self._listener.close()

    def _run(self):
        if self._listener not in select.select([self._listener, self._woken], [], [])[0]:
            return
        client, _ = self._listener.accept()
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ways = {client: (server, TO_SERVER), server: (client, TO_CLIENT)}
            first = (client, server) if self._direction == TO_SERVER else (server, client)
            if self._offset or self._harm(*first):
                self._pass(ways)

    def _pass(self, ways):
        """Until an end of either side, or of the test."""
        while True:
            ready = select.select([*(() if self._silent else ways), self._woken], [], [])[0]
            if self._woken in ready:
                return
            for sock in ready:
                other, direction = ways[sock]
                try:
                    data = sock.recv(65536)
                except OSError:
                    data = b""
                if not data:
                    return
                if not self._moved(sock, other, direction, data):
                    return

    @property
    def _silent(self):
        return self.done and self._fault in {"half-open", "stalled"}

    def _moved(self, sock, other, direction, data):
        if direction == self._direction and not self.done:
            room = self._offset - self.passed[direction]
            if len(data) >= room:
                self._sent(other, direction, data[:room])
                return self._harm(sock, other)
        return self._sent(other, direction, data)

    def _sent(self, other, direction, data):
        try:
            other.sendall(data)
        except OSError:
            return False
        self.passed[direction] += len(data)
        return True

    def _harm(self, sender, receiver):
        """False: there is nothing to be passed on any more."""
        self.done = time.monotonic()
        if self._fault == "cut":
            return False
        if self._fault == "reset":
            for sock in (sender, receiver):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if self._fault == "garbage":
            return self._sent(receiver, self._direction, NOISE)
        if self._fault == "half-open":
            sender.shutdown(socket.SHUT_RDWR)
        return True

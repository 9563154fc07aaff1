"""The far side of a connection, as simple as can be: plain sockets, and TLS by the standard library alone."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def listening(family: int = socket.AF_INET, host: str = "127.0.0.1", backlog: int = 16) -> Iterator[socket.socket]:
    with socket.create_server((host, 0), family=family, backlog=backlog) as sock:
        yield sock


@contextlib.contextmanager
def answering(
    talk: Callable[[socket.socket], object], *, tls: ssl.SSLContext | None = None, family: int = socket.AF_INET
) -> Iterator[int]:
    """Accept one connection after the other, and talk on each; gives the port."""
    with listening(family, "127.0.0.1" if family == socket.AF_INET else "::1") as listener:

        def serve() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), sock:
                    if tls is None:
                        talk(sock)
                    else:
                        with tls.wrap_socket(sock, server_side=True) as secure:
                            talk(secure)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


def echo(sock: socket.socket) -> None:
    while data := sock.recv(65536):
        sock.sendall(data)


def context(certificate: Path, ca: Path | None = None) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(certificate)
    if ca is not None:
        found.load_verify_locations(ca)
        found.verify_mode = ssl.CERT_REQUIRED
    return found


def reset(sock: socket.socket) -> None:
    """End it with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port that does not answer: its queue is full, so that the system drops what comes."""
    with listening(backlog=0) as listener, contextlib.ExitStack() as stack:
        port = listener.getsockname()[1]
        for _ in range(3):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        yield port


def as_nobody(function: Callable[[], object]) -> str:
    """What it raises, as text; root, who may do everything, becomes nobody for it."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            function()
        except BaseException as error:
            os.write(write, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with open(read, encoding="utf-8") as said:
        return said.read()

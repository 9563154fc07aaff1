"""The manager's process from its first line: surroundings, initializer, server, address to the creator, serving.

Rule: ``__main__`` is never run here; what the registry and the initializer need of it comes by value.
"""

from __future__ import annotations

import atexit
import pickle
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from elsewhere.runtime.packing import Namespace, dumps_result
from elsewhere.runtime.worker.surroundings import apply_surroundings, fresh_main

__all__ = ["ENTRY", "enter", "receive", "send"]

ENTRY = f"{__name__}:enter"


def send(sock: socket.socket, body: bytes) -> None:
    """One message, with its length before it."""
    sock.sendall(len(body).to_bytes(8, "big") + body)


def receive(sock: socket.socket) -> bytes:
    """One message.

    Raises:
        EOFError: the other side has ended.
    """
    return _exactly(sock, int.from_bytes(_exactly(sock, 8), "big"))


def _exactly(sock: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = sock.recv(min(length - len(data), 1 << 20))
        if not piece:
            raise EOFError("the other side has ended")
        data += piece
    return bytes(data)


def enter(fds: list[int], inherited: Any = None) -> None:
    """Serve until the creator, or a client, asks for an end; the creator's death ends this process too."""
    # A handler, not SIG_IGN, which programs started in here would inherit: Ctrl-C is the creator's to answer.
    signal.signal(signal.SIGINT, _ignore)
    if inherited is None:
        fresh_main()
    else:
        atexit._clear()
    with socket.socket(fileno=fds[0]) as sock:
        try:
            server = _start(sock, inherited)
        except BaseException as error:  # noqa: BLE001 - the creator raises it
            with suppress(OSError):
                send(sock, dumps_result((None, error)))
            sys.exit(1)
        send(sock, dumps_result((server.address, None)))
        server.creator = sock.fileno()
        try:
            server.serve_forever()
        finally:
            _leave()


def _ignore(signum: int, frame: object) -> None:
    """Ctrl-C."""


def _start(sock: socket.socket, inherited: Any) -> Any:
    setup = pickle.loads(receive(sock))
    apply_surroundings(setup["surroundings"])
    if inherited is None:
        namespace = Namespace()
        for definition in setup["definitions"]:
            namespace.learn(*definition)
        namespace.apply(setup["needs"])
        registry, initializer, initargs = namespace.loads(setup["body"])
    else:
        registry, initializer, initargs = inherited
    if initializer is not None:
        initializer(*initargs)
    from .serve import Server

    return Server(registry, setup["address"], setup["authkey"], setup["serializer"])


def _leave() -> None:
    """As an interpreter ends: what multiprocessing and atexit have to finish."""
    from multiprocessing import util

    finish: Any = util  # the stubs lack it

    try:
        finish._exit_function()
    finally:
        atexit._run_exitfuncs()

"""Ports for programs that have to be told where to listen."""

from __future__ import annotations

import random
import socket


def free_port() -> int:
    """One that nobody has, and that the system gives nobody who does not ask for it by number.

    Those that it does give begin at 32,768 on Linux: one of them, found and let go, may be another connection's by the
    time it is used.
    """
    for port in random.Random().sample(range(20_000, 32_000), 100):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise AssertionError("no port is free")

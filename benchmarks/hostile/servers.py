"""One server under attack: ``python -m benchmarks.hostile.servers KIND`` prints its port; it ends when stdin does.

All serve the same methods with their default settings.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

HOST = "127.0.0.1"


class Inner:
    """What a dotted name would reach."""

    def secret(self) -> str:
        return "the inner secret"


class Work:
    """What all kinds serve.

    Attributes:
        inner: public, and no method.
    """

    def __init__(self) -> None:
        self.inner = Inner()
        self._marks = 0

    def echo(self, value: Any) -> Any:
        return value

    def size(self, value: Any) -> int:
        return len(value)

    def mark(self) -> int:
        """Leaves a trace of having run."""
        self._marks += 1
        return self._marks

    def marks(self) -> int:
        return self._marks

    def megabyte(self) -> str:
        return "x" * 1_000_000

    def control(self) -> str:
        """Characters that no XML may have."""
        return "a\x00\x01b"

    def huge(self) -> int:
        return 2**70

    def surrogate(self) -> str:
        return "a\ud800b"


def ready(port: int) -> None:
    """Print the port, wait for the end of stdin, and be gone."""
    print(port, flush=True)
    sys.stdin.read()
    os._exit(0)


def of_xmlrpc(module: str) -> None:
    """The standard library's server, or the drop-in."""
    import importlib

    server = importlib.import_module(module).SimpleXMLRPCServer((HOST, 0), logRequests=False)
    server.register_introspection_functions()
    server.register_multicall_functions()
    server.register_instance(Work())
    threading.Thread(target=ready, args=(server.server_address[1],), daemon=True).start()
    server.serve_forever()


def ours(where: str) -> None:
    from elsewhere.rpc import Service

    running = Service(Work(), where=where).start(f"http://{HOST}:0")
    ready(int(running.addresses[0].rstrip("/").rpartition(":")[2]))


SERVERS: dict[str, Callable[[], None]] = {
    "standard": partial(of_xmlrpc, "xmlrpc.server"),
    "dropin": partial(of_xmlrpc, "elsewhere.xmlrpc"),
    "threads": partial(ours, "threads"),
    "loop": partial(ours, "loop"),
}

if __name__ == "__main__":
    SERVERS[sys.argv[1]]()

"""Servers and clients over HTTP, ours and the standard library's, by name; the same tests run with each of them.

Those of the standard library are here so that a test can be seen to hold for the real thing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import threading
import xmlrpc.client
import xmlrpc.server
from collections.abc import Callable, Iterator
from typing import Any

import elsewhere
from elsewhere.rpc import Service
from tests.interop.peers import BOUND

SERVICES = ["threads", "loop"]
SERVERS = ["standard", "drop-in", *SERVICES]
CLIENTS = ["standard", "drop-in", "client"]
MOMENT = dt.datetime(2026, 2, 3, 14, 5, 6)  # noqa: DTZ001 - XML-RPC's has no zone

VALUES = [
    0,
    -7,
    2**31 - 1,
    -(2**31),
    True,
    False,
    2.5,
    -0.125,
    1e300,
    "",
    "text",
    "ä€𝄞",
    "<&>]]> &amp; \"'",
    " two  spaces ",
    "a\nb\tc",
    b"",
    b"\x00\xff\r\n",
    b"x" * 1000,
    MOMENT,
    [],
    [1, "a", [2.5, [True]]],
    {},
    {"a": 1, "ä&<": {"b": [b"c", MOMENT]}},
]
LARGE = ["x" * 1_000_000, "ä" * 100_000, b"\x00\xff" * 500_000, list(range(10_000))]


class Methods:
    """What every server offers here."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def double(self, n: Any) -> Any:
        return n + n

    def pair(self, first: Any, second: Any) -> Any:
        return [first, second]

    def echo(self, value: Any) -> Any:
        """The value, as it came."""
        return value

    def kind(self, value: Any) -> str:
        return type(value).__name__

    def fail(self, text: str) -> Any:
        raise ValueError(text)

    def nothing(self) -> None:
        """Gives nil."""


def xmlrpc_module(kind: str) -> Any:
    """All of `xmlrpc.client` and `xmlrpc.server`, or the drop-in, which has both in one."""
    if kind == "standard":
        return xmlrpc.client
    return importlib.import_module("elsewhere.xmlrpc")


@contextlib.contextmanager
def serving(kind: str, methods: Any = None) -> Iterator[str]:
    """Serves these methods, or `Methods`; gives the URL without a path."""
    methods = methods or Methods()
    if kind in SERVICES:
        with Service(methods, where=kind).start("http://127.0.0.1:0") as running:
            yield running.addresses[0].rstrip("/")
        return
    module = xmlrpc.server if kind == "standard" else xmlrpc_module(kind)
    server = module.SimpleXMLRPCServer(
        ("127.0.0.1", 0), logRequests=False, allow_none=True, use_builtin_types=True, bind_and_activate=True
    )
    server.register_introspection_functions()
    server.register_multicall_functions()
    server.register_instance(methods)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def calling(kind: str, url: str) -> Iterator[Callable[..., Any]]:
    """A client of this kind; gives what calls a method by its name."""
    if kind == "client":
        with elsewhere.connect(f"xmlrpc+{url}", timeout=BOUND) as client:
            yield client.call
        return
    with xmlrpc_module(kind).ServerProxy(url, allow_none=True, use_builtin_types=True) as proxy:
        yield lambda name, *args: getattr(proxy, name)(*args)


def failure(call: Callable[..., Any], *args: Any) -> str:
    """The text of the error that a call ends in, whatever the client's type for it."""
    try:
        found = call(*args)
    except Exception as error:
        return str(error)
    raise AssertionError(f"it gave {found!r}")

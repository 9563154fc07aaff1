"""One client: ``python -m benchmarks.http.clients PEER PORT`` says "ready", then measures what it is told to.

A line of stdin has a row's name and a number; it is answered with a line that has the seconds.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.http.lean import Lean
from benchmarks.rpc.clients import Measure, timed

HOST = "127.0.0.1"
AT_ONCE = 16  # clients in one of these programs, each with a thread
Call = Callable[..., Any]


def patiently(call: Call, i: int) -> Any:
    """Again, where the connection was reset: the standard library's server does so with some of many."""
    for _ in range(100):
        with contextlib.suppress(ConnectionResetError):
            return call("double", i)
    raise ConnectionError("reset, again and again")


def of_calls(connect: Callable[[], Call]) -> dict[str, Measure]:
    """The rows of a client: one alone, and many at once, each with a connection of its own."""
    call = connect()
    assert call("double", 1) == 2
    others: list[Call] = []

    def sequential(n: int) -> None:
        for i in range(n):
            assert call("double", i) == 2 * i

    def argument(n: int) -> None:
        assert call("size", b"x" * n) == n

    def many(n: int) -> None:
        while len(others) < AT_ONCE:
            others.append(connect())
            others[-1]("double", 1)
        failed = []

        def calls(each: Call) -> None:
            try:
                for i in range(n // AT_ONCE):
                    assert patiently(each, i) == 2 * i
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=calls, args=(each,)) for each in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in failed:
            raise error

    return {
        "sequential": timed(sequential),
        "argument": timed(argument),
        "many": timed(many),
        "json": timed(sequential),
    }


def of_xmlrpc(port: int, module: str = "xmlrpc.client") -> dict[str, Measure]:
    import importlib

    proxy = importlib.import_module(module).ServerProxy

    def connect() -> Call:
        far = proxy(f"http://{HOST}:{port}/RPC2", use_builtin_types=True)
        methods = {"double": far.double, "size": far.size}
        return lambda name, *args: methods[name](*args)

    return of_calls(connect)


def ours(port: int, url: str = "xmlrpc+http://{}:{}/RPC2") -> dict[str, Measure]:
    from elsewhere.rpc import connect

    return of_calls(lambda: connect(url.format(HOST, port), timeout=60).call)


def plain(port: int) -> dict[str, Measure]:
    """What sends JSON-RPC's bytes on a connection of `http.client` that is kept: the same for each server of JSON."""

    def connect() -> Call:
        connection = http.client.HTTPConnection(HOST, port)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def call(name: str, *args: Any) -> Any:
            body = json.dumps({"jsonrpc": "2.0", "method": name, "params": args, "id": 1}).encode()
            connection.request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())["result"]

        return call

    return of_calls(connect)


def lean(port: int) -> dict[str, Measure]:
    return {"lean": timed(Lean(port).calls)}


CLIENTS: dict[str, Callable[[int], dict[str, Measure]]] = {
    "standard": of_xmlrpc,
    "dropin": partial(of_xmlrpc, module="elsewhere.xmlrpc"),
    "ours": ours,
    "ours_json": partial(ours, url="jsonrpc+http://{}:{}/jsonrpc"),
    "plain": plain,
    "lean": lean,
}


def main() -> None:
    peer, port = sys.argv[1:]
    rows = CLIENTS[peer](int(port))
    print("ready", flush=True)
    for line in sys.stdin:
        name, n = json.loads(line)
        try:
            print(json.dumps(rows[name](n) if name in rows else None), flush=True)
        except Exception as error:
            print(json.dumps(f"{type(error).__name__}: {error}"), flush=True)


if __name__ == "__main__":
    main()

"""One client under attack: ``python -m benchmarks.hostile.clients KIND URL`` says "ready", then calls when told to.

Each has its default settings. What came of the call is said as a line of JSON: the type of the error and its text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any


def of_xmlrpc(module: str, url: str) -> Callable[..., Any]:
    """The standard library's client, or the drop-in."""
    import importlib

    proxy = importlib.import_module(module).ServerProxy(url)
    return lambda: proxy.echo("x")


def ours(url: str) -> Callable[..., Any]:
    from elsewhere.rpc import connect

    # Nothing is sent before the call: the first request is to be the one that is counted.
    client = connect(f"xmlrpc+{url}")
    return lambda: client.call("echo", "x")


CLIENTS: dict[str, Callable[[str], Callable[..., Any]]] = {
    "standard": partial(of_xmlrpc, "xmlrpc.client"),
    "dropin": partial(of_xmlrpc, "elsewhere.xmlrpc"),
    "client": ours,
}


def main() -> None:
    kind, url = sys.argv[1:]
    call = CLIENTS[kind](url)
    print("ready", flush=True)
    for _ in sys.stdin:
        try:
            found = "value", repr(call())[:200]
        except Exception as error:
            found = type(error).__name__, str(error)[:500]
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

"""One client under attack: ``python -m benchmarks.hostile.clients KIND`` says "ready", and calls the URLs it reads.

Each has its default settings. What came of the call is said as a line of JSON: the type of the error and its text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any


def of_xmlrpc(module: str, url: str) -> Any:
    """The standard library's client, or the drop-in."""
    import importlib

    with importlib.import_module(module).ServerProxy(url) as proxy:
        return proxy.echo("x")


def ours(url: str) -> Any:
    from elsewhere.rpc import connect

    with connect(f"xmlrpc+{url}") as client:
        return client.call("echo", "x")


CLIENTS: dict[str, Callable[[str], Any]] = {
    "standard": partial(of_xmlrpc, "xmlrpc.client"),
    "dropin": partial(of_xmlrpc, "elsewhere.xmlrpc"),
    "client": ours,
}


def main() -> None:
    kind = CLIENTS[sys.argv[1]]
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            kept = kind(line.strip())  # shown, it might take more room, or fail
            found = "value", type(kept).__name__
        except Exception as error:
            found = type(error).__name__, str(error)[:500]
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

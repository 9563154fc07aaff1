"""Both places a handler can run in, and a server there.

The suites of this folder run in each: `serve(name, address)` serves the handler of that name in `handlers.py`, which
has it as a function for threads, and as a coroutine for the loop.
"""

from __future__ import annotations

import contextlib

import pytest

from elsewhere import net
from tests.certificates import certificates
from tests.net import handlers
from tests.rpc.conftest import uvloop_has_its_pipe

__all__ = ["certificates", "held", "place", "serve", "uvloop_has_its_pipe"]


@pytest.fixture(params=["threads", "loop"])
def place(request):
    return request.param


@pytest.fixture
def serve(place, tmp_path, certificates):
    """Start servers; they are closed at the end of the test, and what they have to do by then must be short."""
    with contextlib.ExitStack() as stack:

        def start(name: str = "shout", address: str = "tcp://127.0.0.1:0", **options) -> net.Server:
            if address.startswith("tls:"):
                options.setdefault("tls", net.TLS(cert=certificates.server))
            address = address.replace("unix:///", f"unix://{tmp_path}/")
            handler = getattr(handlers, name if place == "threads" or name.startswith("reply") else f"{name}_on_loop")
            server = net.Server(handler, address, where=place, **options)
            stack.callback(server.close, 0)
            return server.start()

        yield start


@pytest.fixture
def held():
    """The handler `hold` waits for this."""
    handlers.release.clear()
    yield handlers.release
    handlers.release.set()

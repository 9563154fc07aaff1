"""What several of the suites use."""

from __future__ import annotations

import threading
import time

from elsewhere import net

TCP = "tcp://127.0.0.1:0"


def connected(server, **options):
    return net.connect(server.addresses[0], **options)


def until(condition, seconds=30.0):
    """Look again and again; what it looks at changes on its own."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        threading.Event().wait(0.001)  # others want the interpreter's lock, and the core
    assert found
    return found

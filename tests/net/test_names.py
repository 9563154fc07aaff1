"""The door's names, and what opening it costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import elsewhere
from elsewhere import net

HEAVY = ["asyncio", "inspect", "logging", "ssl", "subprocess"]


def test_the_names_are_there():
    for name in net.__all__:
        assert getattr(net, name) is not None
        assert name in dir(net)
    assert elsewhere.net is net
    with pytest.raises(AttributeError, match=r"'elsewhere\.net' has no attribute 'Sever'"):
        _ = net.Sever


def test_a_plain_client_loads_little_and_starts_no_thread():
    program = f"""
import json, socket, sys, threading
bare = set(sys.modules)
from elsewhere import net
with socket.create_server(("127.0.0.1", 0)) as listener:
    with net.connect(f"tcp://127.0.0.1:{{listener.getsockname()[1]}}") as connection:
        connection.sendall(b"x")
print(json.dumps([[name for name in {HEAVY!r} if name in sys.modules and name not in bare], threading.active_count()]))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == [[], 1]

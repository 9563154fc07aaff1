"""An event loop where files that may be open get short: an error that says so, never the end of the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from elsewhere.runtime.driving.loops import ROOM

PROGRAM = """
import os, resource, sys
import asyncio
from contextlib import suppress
with suppress(ImportError):
    import uvloop
from elsewhere.runtime.driving.loops import new_loop

free = int(sys.argv[1])
spare = [os.dup(0) for _ in range(max(map(int, os.listdir("/proc/self/fd"))))]  # fills all numbers below
most = max(spare) + 1 + free
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
try:
    loop = new_loop()
except OSError as error:
    print(error.strerror)
else:
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    print("ran")
"""


@pytest.mark.parametrize("free", [0, 1, 2, 3, 5, ROOM - 1, ROOM])
def test_few_descriptors(free):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(free)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    if free == ROOM:
        assert done.stdout == "ran\n"
    elif free < 3:  # asyncio's own loop needs three
        assert done.stdout == "Too many open files\n"

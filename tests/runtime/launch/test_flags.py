"""A worker's interpreter runs with the flags of its caller's."""

import os
import subprocess
import sys

import pytest

FLAGS = [[], ["-O"], ["-OO", "-B"], ["-I"], ["-E", "-s"], ["-P"], ["-W", "error", "-W", "ignore::ImportWarning"],
         ["-X", "dev"], ["-X", "utf8=1", "-X", "faulthandler"], ["-b"], ["-bb"], ["-q", "-v"]]  # fmt: skip


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_the_flags_are_those_that_subprocess_would_give(flags):
    code = f"""
import sys; sys.path[:0] = {[*sys.path[:1], "src", "."]!r}
import subprocess
from elsewhere.runtime.launch.servers import interpreter_flags
ours, theirs = interpreter_flags(), subprocess._args_from_interpreter_flags()
assert sorted(ours) == sorted(theirs), (ours, theirs)
"""
    result = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_the_flags_reach_the_worker(method):
    code = f"""if True:
    from tests.runtime.launch.helpers import *
    with lab({method!r}) as it:
        it.start(1)
        print(it.ask(1, "[sys.flags.optimize, sys.flags.dev_mode, sys.warnoptions.count('error')]"))
"""
    result = subprocess.run(
        [sys.executable, "-O", "-X", "dev", "-W", "error", "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert result.stdout == "[1, True, 1]\n"

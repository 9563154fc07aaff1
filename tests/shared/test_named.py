"""Arrays where there is no memory without a name, as outside Linux: the same class over mapped files.

What chooses is the environment at the import, so each test is a program of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.require import require

require(module="numpy", install="pip install numpy")

BEGIN = """
import gc, os, pickle, signal, sys, tempfile
import numpy as np
from elsewhere import Pool, shared
from elsewhere.errors import ProtocolError

def files():
    return [name for name in os.listdir(tempfile.gettempdir()) if name.startswith("elsewhere-shared-")]
"""


def program(tmp_path, text):
    """What it prints; nothing may be left in the folder for temporary files."""
    path = tmp_path / "program.py"
    path.write_text(BEGIN + text)
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {**os.environ, "ELSEWHERE_NAMED_MEMORY": "1", "TMPDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, str(path)], env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.split("\n")[:-1], sorted(os.listdir(folder))


SHARED = """
array = shared.zeros((3, 4))
part = array[1:, ::2]

def add(block, n):
    block += n
    return block

with Pool(2) as pool:
    back = pool.apply(add, (part, 5))
    print(type(back).__name__, back.tolist())
    print(array.tolist())
frozen = array.view()
frozen.flags.writeable = False
copied = pickle.loads(pickle.dumps(frozen))
print(copied.flags.writeable, np.shares_memory(copied, array), type(array + 1).__name__)
print(shared.copy_of([1, 2]).tolist(), shared.full(2, 7).tolist(), shared.zeros(0).shape)
print(len(files()))
del back, part, frozen, copied, array
gc.collect()
print(len(files()))
"""


def test_an_array_is_shared_and_its_file_goes_with_the_last_view(tmp_path):
    code, lines, left = program(tmp_path, SHARED)
    assert code == 0
    assert lines == [
        "ndarray [[5.0, 5.0], [5.0, 5.0]]",
        "[[0.0, 0.0, 0.0, 0.0], [5.0, 0.0, 5.0, 0.0], [5.0, 0.0, 5.0, 0.0]]",
        "False True ndarray",
        "[1, 2] [7, 7] (0,)",
        "1",
        "0",
    ]
    assert left == []


def test_its_file_goes_with_the_program(tmp_path):
    assert program(tmp_path, "array = shared.zeros(5)\nprint(len(files()))") == (0, ["1"], [])


ERRORS = """
array = shared.zeros(5)
pickled = pickle.dumps(array)
name = os.path.join(tempfile.gettempdir(), files()[0])
os.rename(name, name + "x")
script = f'''
import pickle
try:
    pickle.loads({pickled!r})
except Exception as error:
    print(type(error).__name__, "Keep the array there" in str(error), "not the shared memory" in str(error))
'''
sys.stdout.flush()
import subprocess
subprocess.run([sys.executable, "-c", script], check=True)
with open(name, "wb") as file:
    file.write(b"short")
subprocess.run([sys.executable, "-c", script], check=True)
os.unlink(name)
os.mkfifo(name)
subprocess.run([sys.executable, "-c", script], check=True)
os.unlink(name)
os.symlink(name + "x", name)
subprocess.run([sys.executable, "-c", script.replace("OSError", "")], check=True)
os.unlink(name)
os.unlink(name + "x")
from elsewhere.shared.named import attach
for wrong in (("../x", "", 4096), ("0" * 32, "", 5), ("0" * 32, 7, 4096), ("0" * 32, "", -4096)):
    try:
        attach(*wrong)
    except ProtocolError:
        print("refused")
"""


def test_who_opens_it_looks_what_it_is(tmp_path):
    code, lines, left = program(tmp_path, ERRORS)
    assert (code, left) == (0, [])
    assert lines == [
        "FileNotFoundError True False",
        "ProtocolError False True",
        "ProtocolError False True",
        "OSError False False",
        *["refused"] * 4,
    ]


def test_a_creator_that_is_killed_leaves_the_file_as_documented(tmp_path):
    code, _, left = program(tmp_path, "array = shared.zeros(5)\nos.kill(os.getpid(), signal.SIGKILL)")
    assert code == -signal.SIGKILL
    assert [name.startswith("elsewhere-shared-") for name in left] == [True]


FORK = """
array = shared.zeros(5)
if (pid := os.fork()) == 0:
    array[0] = 7
    del array
    gc.collect()
    sys.exit()
os.waitpid(pid, 0)
print(array[0], len(files()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are of Unix")
def test_a_fork_does_not_remove_its_parents_file(tmp_path):
    assert program(tmp_path, FORK) == (0, ["7.0 1"], [])

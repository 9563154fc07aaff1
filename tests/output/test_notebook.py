"""A real Jupyter kernel: prints arrive in the cell that made the call; cells define functions, and are run again."""

from __future__ import annotations

import os
import queue
import time
from pathlib import Path

import pytest

import elsewhere
from tests.require import require

manager = require(module="jupyter_client", install="pip install jupyter_client ipykernel")
require(module="ipykernel", install="pip install ipykernel")

# The loop in which jupyter_client's blocking methods wait: made here, since it stays until the process ends.
require(module="jupyter_core.utils", install="pip install jupyter_client").ensure_event_loop()

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SRC = Path(elsewhere.__file__).parents[1]
SOON = 30.0


class Notebook:
    def __init__(self, folder):
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(SRC)]),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        }
        self.manager = manager.KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "ipc"))
        self.manager.start_kernel(env=environment, cwd=str(folder))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=SOON)

    def begin(self, code):
        """Send a cell; its id."""
        return self.client.execute(code)

    def finish(self, cell):
        """Wait for a cell's end: the streams' text by name, of this cell alone, and its error's name."""
        texts, error = {"stdout": "", "stderr": ""}, None
        deadline = time.monotonic() + SOON
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"the cell did not end; so far: {texts}")
            if message["parent_header"].get("msg_id") != cell:
                if message["msg_type"] == "stream":
                    texts["elsewhere"] = message["parent_header"].get("msg_id"), message["content"]["text"]
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                texts[content["name"]] += content["text"]
            elif message["msg_type"] == "error":
                error = content["ename"], content["traceback"]
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return texts, error

    def run(self, code):
        texts, error = self.finish(self.begin(code))
        assert error is None, "\n".join(error[1])
        assert texts.pop("stderr") == ""
        assert "elsewhere" not in texts, texts
        return texts["stdout"]

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=False)
        self.manager.cleanup_resources()
        context = self.manager.context
        context.destroy(linger=0)


@pytest.fixture
def notebook(tmp_path):
    made = Notebook(tmp_path)
    yield made
    made.close()


def test_a_notebook(notebook):
    run = notebook.run
    run("import elsewhere\nfrom elsewhere import Pool\nfrom dataclasses import dataclass")

    # Functions and classes of a cell, and the cell run again.
    run("def work(n):\n    print('working on', n)\n    return n * factor")
    cell = "factor = 2\nprint(elsewhere.map(work, range(3)))"
    for _ in range(2):
        *lines, last = run(cell).splitlines()
        assert sorted(lines) == ["working on 0", "working on 1", "working on 2"]
        assert last == "[0, 2, 4]"
    assert run("factor = 5\nprint(elsewhere.map(work, [1]))").splitlines() == ["working on 1", "[5]"]
    run("@dataclass\nclass Point:\n    x: int\n    def double(self):\n        return Point(2 * self.x)")
    assert run("print(elsewhere.map(Point.double, [Point(1)])[0] == Point(2))") == "True\n"
    run("class Point:\n    def __init__(self, x): self.x = x\n    def double(self): return Point(self.x * 20)")
    assert run("print(elsewhere.map(Point.double, [Point(1)])[0].x)") == "20\n"

    # A pool made in an earlier cell prints into the cell that makes the call, whatever the way.
    run("pool = Pool(2)")
    run("pool.submit(work, 0).result()")
    assert run("print(pool.submit(work, 7).result())") == "working on 7\n35\n"
    assert run("print(pool.submit(work, 8).result())") == "working on 8\n40\n"
    assert run("print(list(pool.imap(work, [9])))") == "working on 9\n[45]\n"
    assert run("print(await pool.submit(work, 10))") == "working on 10\n50\n"
    assert run("print(elsewhere.map(work, [11]))") == "working on 11\n[55]\n"

    # What a call of an earlier cell prints while a later one runs belongs to the earlier one.
    run("import os; os.mkfifo('gate')\ndef later(n):\n    open('gate').close()\n    print('late', n)")
    earlier = notebook.begin("future = pool.submit(later, 1)")
    notebook.finish(earlier)
    texts, error = notebook.finish(notebook.begin("open('gate', 'w').close(); future.result()"))
    assert error is None
    assert texts == {"stdout": "", "stderr": "", "elsewhere": (earlier, "late 1\n")}

    # stderr, and text without an end.
    run("import sys\ndef complain(n): print('oh', n, end='', file=sys.stderr)")
    texts, error = notebook.finish(notebook.begin("pool.map(complain, [1])"))
    assert (texts["stdout"], texts["stderr"], error) == ("", "oh 1", None)

    # An error shows the cell's function.
    run("def fail(n): raise KeyError(n)")
    texts, error = notebook.finish(notebook.begin("pool.map(fail, [1])"))
    assert error is not None
    assert error[0] == "KeyError"
    run("pool.close(); pool.join()")


def test_the_interrupt_of_a_kernel(notebook, tmp_path):
    os.mkfifo(tmp_path / "begun")
    notebook.run("import elsewhere, time\ndef hang(_):\n    open('begun', 'w').close()\n    time.sleep(1000)\n")
    for call in (
        "elsewhere.map(hang, [1])",
        "pool = elsewhere.Pool(2); pool.map(hang, [1])",
        "list(pool.imap(hang, [1]))",
    ):
        cell = notebook.begin(call)
        with open(tmp_path / "begun"):
            notebook.manager.interrupt_kernel()
        texts, error = notebook.finish(cell)
        assert error is not None
        assert error[0] == "KeyboardInterrupt"
        assert (texts["stdout"], texts["stderr"]) == ("", "")
    assert notebook.run("print(elsewhere.map(abs, [-1]), pool.map(abs, [-2]))") == "[1] [2]\n"
    notebook.run("pool.terminate()")

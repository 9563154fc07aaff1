"""How a far worker starts and ends, in every Python that is here."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from elsewhere.runtime.far import bundle, worker
from tests.far.driving import PATIENCE, Far, bare, named, reduced, source

EACH = pytest.mark.parametrize("python", bare(), ids=lambda path: path)
SOME = pytest.mark.parametrize("python", {bare()[0], bare()[-1]}, ids=lambda path: path)  # a second each


def wait_for(true):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


# ---- the start -------------------------------------------------------------------------------------------------------


@EACH
def test_the_initializer_runs_first_with_what_is_shared(python):
    text = "def f(x):\n    print('ready', x)\n    __import__('__main__').x = x"
    with Far(python, start=False) as far:
        far.next(worker.HELLO)
        far.send(worker.SHARE, pickle.dumps(5, 4), number=1)
        initializer = b"\x80\x02" + source(text)[2:-1] + reduced("elsewhere_far", "shared", 1)[2:-1] + b"\x85\x86."
        far.send(worker.SETUP, far.setup(initializer=initializer))
        far.next(worker.READY)
        assert far.printed() == "ready 5\n"
        assert far.call(source("def f():\n    return __import__('__main__').x")) == 5


@EACH
def test_an_initializer_that_fails(python):
    with Far(python, start=False) as far:
        far.next(worker.HELLO)
        far.send(worker.SETUP, far.setup(initializer=pickle.dumps((int, ("x",)), 4)))
        body, kind, text, trace, call, _ = pickle.loads(far.next(worker.FAILED))
        assert type(pickle.loads(body)) is ValueError
        assert (kind, call) == ("builtins.ValueError", "initializer()")
        assert "invalid literal" in text
        assert trace
        assert (far.wait(), far.words()) == (1, "")


def ended(python, given, *, eof):
    """The last words of a worker that was given this, and its input's end or not."""
    words = bundle.first_words(len(bundle.payload()))
    with subprocess.Popen(
        [python, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(given)
        if eof:
            process.stdin.close()
        assert process.wait(PATIENCE) == 1
        return process.stderr.read().decode()


@EACH
def test_what_is_no_caller(python):
    payload = bundle.payload()
    assert ended(python, b"", eof=True) == "elsewhere: the caller has gone before the worker was sent\n"
    assert ended(python, payload[:-1], eof=True) == "elsewhere: the caller has gone before the worker was sent\n"
    assert ended(python, payload, eof=True) == ""
    said = ended(python, b"x" * len(payload), eof=False)
    assert said == "elsewhere: what came first on the standard input is not the worker\n"
    said = ended(python, payload + b"GET / HTTP/1.1\r\n\r\n", eof=False)
    assert "it ends, as what comes in is not from a caller of its kind: ValueError: these bytes begin no frame" in said
    said = ended(python, payload + worker.frame(worker.WITHDRAW) + worker.frame(worker.FUNCTION), eof=False)
    assert said.endswith("it ends, as what came first is no setup\n")
    assert ended(python, payload + worker.frame(worker.SETUP, b"no pickle"), eof=False) == ""  # FAILED says why


@EACH
def test_noise_in_the_middle(python):
    with Far(python) as far:
        far.run(named("time", "sleep"), 60)
        far.raw(b"this is no frame of ours")
        assert "not from a caller of its kind: ValueError: these bytes begin no frame" in far.words()
        assert far.wait() in (0, 1)


# ---- an orderly end --------------------------------------------------------------------------------------------------

LEAVES = """\
import atexit, threading, time

def f(x):
    done = threading.Event()

    def late():
        time.sleep(0.05)
        print("thread")

    atexit.register(print, "atexit")
    threading.Thread(target=late).start()
"""


@EACH
def test_it_leaves_as_an_interpreter_does(python):
    with Far(python) as far:
        far.run(source(LEAVES), 1)
        far.run(abs, -1, -2)
        far.send(worker.EXIT)
        far.value()
        assert [far.value(), far.value()] == [1, 2]  # what was handed over is done
        with pytest.raises(EOFError):
            far.next(worker.READY)
        assert far.printed() == "thread\natexit\n"
        assert (far.wait(), far.words()) == (0, "")


@pytest.mark.slow
def test_a_thread_that_never_ends_is_left_behind():
    with Far() as far:
        far.run(
            source(
                "import threading\n\n\n"
                "def f(x):\n"
                "    threading.Thread(target=threading.Event().wait, name='stuck').start()"
            ),
            1,
        )
        far.value()
        far.send(worker.EXIT)
        assert "it leaves although threads of its calls have not ended in 5 s: 'stuck'" in far.words()
        assert far.wait() == 0


# ---- the caller has gone ---------------------------------------------------------------------------------------------


@EACH
def test_an_idle_worker_ends_with_its_input(python):
    with Far(python) as far:
        far.call(source("import atexit\n\n\ndef f(path):\n    atexit.register(print, 'atexit')"), 1)
        far.hang_up()
        with pytest.raises(EOFError):
            far.next(worker.READY)
        assert far.printed() == "atexit\n"
        assert far.wait() == 0


@SOME
def test_what_runs_at_its_end_has_a_bound_when_the_caller_has_gone(python):
    with Far(python) as far:
        far.call(source("import atexit, time\n\n\ndef f():\n    atexit.register(time.sleep, 60)"))
        far.hang_up()
        assert far.wait() == 1


@EACH
def test_what_runs_is_interrupted_when_the_caller_goes(python, tmp_path):
    text = (
        "import time\n\n\n"
        "def f(path):\n"
        "    try:\n"
        "        open(path + '.in', 'w').close()\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        open(path + '.out', 'w').close()"
    )
    with Far(python) as far:
        far.run(source(text), str(tmp_path / "call"), str(tmp_path / "next"))
        wait_for((tmp_path / "call.in").exists)
        far.hang_up()
        far.wait()
        assert (tmp_path / "call.out").exists()
        assert not (tmp_path / "next.in").exists()


# Only the thread of the worker that reads can end this: the main thread takes no signals.
DEAF = """\
import os, signal, subprocess, sys, time

def f(path):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(path + ".part", "w") as file:
        file.write(str(child.pid))
    os.rename(path + ".part", path)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGURG])
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
"""


@SOME
def test_what_cannot_be_interrupted_is_killed_with_what_it_has_started(python, tmp_path):
    with Far(python, popen={"start_new_session": True}) as far:
        far.run(source(DEAF), str(tmp_path / "pid"))
        wait_for((tmp_path / "pid").exists)
        child = int((tmp_path / "pid").read_text())
        far.hang_up()
        assert far.wait() == -signal.SIGKILL
        wait_for(lambda: not _runs(child))


@SOME
def test_it_kills_nobody_else_where_the_group_is_not_its_own(python, tmp_path):
    with Far(python) as far, subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        far.run(source(DEAF), str(tmp_path / "pid"))
        wait_for((tmp_path / "pid").exists)
        far.hang_up()
        assert far.wait() == 1
        assert other.poll() is None
        other.kill()
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


@EACH
def test_nobody_reads_what_it_writes(python):
    with Far(python) as far:
        assert far.process.stdout is not None
        far.process.stdout.close()
        far.run(abs, -1)
        assert far.wait() == 1


def _runs(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


# ---- a call ends it --------------------------------------------------------------------------------------------------


@EACH
def test_what_was_answered_before_a_crash_is_there(python):
    with Far(python) as far:
        far.run(source("import os\n\n\ndef f(x):\n    return x if x < 3 else os._exit(x)"), 1, 2, 3, 4)
        assert [far.value(), far.value()] == [1, 2]
        with pytest.raises(EOFError):
            far.value()
        assert far.wait() == 3


@EACH
def test_a_crash_in_c_tells_where_it_was(python):
    with Far(python) as far:
        far.run(
            source(
                "import os, signal\n\n\n"
                "def f(x):\n"
                "    os.kill(os.getpid(), signal.SIGSEGV)\n"
                "    while True:\n"
                "        pass"
            ),
            1,
        )
        assert far.wait() == -signal.SIGSEGV
        assert "Fatal Python error: Segmentation fault" in far.words()
        assert "in f" in far.words()


@EACH
def test_interrupts_from_a_keyboard_are_not_for_it(python):
    with Far(python) as far:
        os.kill(far.process.pid, signal.SIGINT)
        assert far.call(abs, -1) == 1

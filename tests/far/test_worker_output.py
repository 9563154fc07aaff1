"""What calls print, log and warn of, and the processes they fork, in every Python that is here."""

from __future__ import annotations

import os
import pickle

import pytest

from elsewhere.runtime.far import worker
from tests.far.driving import Far, bare, source


@pytest.fixture(scope="module", params=bare(), ids=lambda path: path)
def far(request):
    with Far(request.param, levels={"root": 20, "levels": {"quiet": 40}, "disabled": ["off"]}) as far:
        yield far


@pytest.fixture(autouse=True)
def nothing_printed(far):
    far.asides.clear()


def ran(far, text, x=1):
    """The value of ``f(x)``."""
    return far.call(source(text), x)


# ---- printing --------------------------------------------------------------------------------------------------------


def test_prints_come_before_the_answer(far):
    ran(
        far,
        "import sys\n\n\ndef f(x):\n    print('a', x)\n    print('b', file=sys.stderr)\n    sys.stdout.write('end')",
    )
    assert [(flags, payload) for _, flags, payload in far.asides] == [(1, b"a 1\n"), (2, b"b\n"), (1, b"end")]


def test_only_whole_lines_go_before_the_call_is_over(far):
    ran(
        far,
        "def f(x):\n"
        "    for part in 'ab', 'c\\nd', 'e':\n"
        "        print(part, end='', flush=True)\n"
        "    print('\\rf', end='')",
    )
    assert [payload for *_, payload in far.asides] == [b"abc\n", b"de\r", b"f"]


def test_threads_do_not_mix_their_lines(far):
    text = """\
import threading

def f(x):
    turn = threading.Barrier(2)

    def write(name):
        for part in "1", "2", "3\\n":
            turn.wait()
            print(name, end=part)

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""
    ran(far, text)
    assert sorted(far.printed().splitlines()) == ["a1a2a3", "b1b2b3"]


def test_bytes_and_characters_in_pieces(far):
    text = """\
import sys

def f(x):
    for part in "ä€".encode()[:2], "ä€".encode()[2:], b"\\xff", b"\\xe2\\x82":
        sys.stdout.buffer.write(part)
    print("\\ud800", file=sys.stderr)
    return sys.stdout.isatty(), sys.stdout.fileno(), sys.stdout.encoding, sys.stdout.writable()
"""
    assert ran(far, text) == (False, 1, "utf-8", True)
    assert far.printed() == "ä€\\xff\\xe2\\x82"
    assert far.printed(worker.STDERR) == "\ud800\n"


def test_writing_what_is_no_text_is_a_type_error(far):
    far.run(source("import sys\n\n\ndef f(x):\n    sys.stdout.write(b'')"), 1)
    assert far.error()[1] == "builtins.TypeError"


def test_closing_and_reconfiguring_harms_nobody(far):
    ran(far, "import sys\n\n\ndef f(x):\n    sys.stdout.reconfigure(line_buffering=False)\n    sys.stdout.close()")
    ran(far, "def f(x):\n    print('still', x)")
    assert far.printed() == "still 1\n"


def test_what_was_printed_before_an_error_comes(far):
    far.run(source("def f(x):\n    print('before', end='')\n    raise KeyError"), 1)
    far.error()
    assert far.printed() == "before"


# ---- logging and warnings --------------------------------------------------------------------------------------------


def records(far):
    return [
        pickle.loads(payload)[0] for kind, flags, payload in far.asides if kind == worker.LOG and flags == worker.RECORD
    ]


def test_log_records_are_plain(far):
    text = """\
import logging

class Odd:
    def __repr__(self):
        return "odd"

def f(x):
    log = logging.getLogger("app.part")
    log.debug("not asked for")
    log.info("hello %s", x, extra={"thing": Odd(), "plain": [1]})
    log.warning("odd: %s", Odd())
    logging.getLogger("quiet").warning("no")
    logging.getLogger("off").error("no")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("failed")
"""
    ran(far, text)
    first, second, third = records(far)
    assert (first["name"], first["msg"], first["args"], first["levelno"]) == ("app.part", "hello %s", (1,), 20)
    assert (first["thing"], first["plain"]) == ("odd", [1])
    assert first["processName"] == f"Worker-{far.process.pid}"
    assert (second["msg"], second["args"]) == ("odd: odd", None)
    assert third["exc_text"].endswith("ZeroDivisionError: division by zero")
    assert third["exc_info"] is None


def test_a_worker_that_logs_by_itself_sends_nothing(far):
    text = """\
import logging, io

def f(x):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    logging.warning("own")
    logging.getLogger().removeHandler(handler)
    return stream.getvalue()
"""
    assert ran(far, text) == "own\n"
    assert records(far) == []


def test_a_logger_that_has_a_handler_here_says_so(far):
    text = """\
import logging, io

def f(x):
    handler = logging.StreamHandler(io.StringIO())
    logging.getLogger("lib").addHandler(handler)
    logging.getLogger("lib.part").warning("x")
    logging.getLogger("lib").removeHandler(handler)
"""
    ran(far, text)
    [(_, _, payload)] = far.asides
    state, packed, taken = pickle.loads(payload)
    assert (state["name"], packed, taken) == ("lib.part", {}, ["lib"])


def test_warnings(far):
    text = "import warnings\n\nclass Mine(UserWarning):\n    pass\n\ndef f(x):\n    warnings.warn('careful', Mine)\n"
    ran(far, text)
    [(kind, flags, payload)] = far.asides
    assert (kind, flags) == (worker.LOG, worker.WARNING)
    assert pickle.loads(payload) == (None, "careful", "UserWarning", "<test>", 7, "__main__")


def test_a_warning_that_is_written_elsewhere_is_not_sent(far):
    text = (
        "import warnings, io\n\n"
        "def f(x):\n"
        "    out = io.StringIO()\n"
        "    warnings.showwarning('x', UserWarning, 'f', 1, out)\n"
        "    return out.getvalue()"
    )
    assert "UserWarning: x" in ran(far, text)
    assert far.asides == []


# ---- forks -----------------------------------------------------------------------------------------------------------

FORKS = """\
import os, sys

def f(path):
    print("parent", end="")
    pid = os.fork()
    if not pid:
        %s
    _, status = os.waitpid(pid, 0)
    return status
"""


def test_a_forked_child_has_no_part_in_the_line(far, tmp_path):
    text = FORKS % "print('child'); open(path, 'w').write(str(os.getpid())); sys.stdout.flush(); os._exit(0)"
    assert ran(far, text, str(tmp_path / "pid")) == 0
    assert far.printed() == "parent"
    assert int((tmp_path / "pid").read_text()) != far.process.pid


@pytest.mark.parametrize(
    ("end", "status"), [("return 1", 0), ("raise KeyError", 256), ("sys.exit(3)", 768), ("sys.exit('no')", 256)]
)
def test_a_forked_child_that_comes_back_from_the_call_ends(far, end, status):
    assert ran(far, FORKS % end) == status
    assert far.call(abs, -1) == 1


def test_a_forked_child_asks_for_no_modules(far):
    text = FORKS % "exec('try:\\n    import no_such_module\\nexcept ImportError:\\n    os._exit(7)')"
    assert ran(far, text) == 7 << 8


def test_multiprocessing_in_a_call(far):
    text = """\
import multiprocessing

def f(x):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(abs, [-1, -2, x])
"""
    assert ran(far, text, -3) == [1, 2, 3]


def test_programs_started_by_a_call_have_nothing_of_the_line(far):
    text = """\
import subprocess, sys

def f(x):
    code = "import os, sys; print(sorted(os.listdir('/proc/self/fd')), sys.stdin.read() == '')"
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE).stdout.decode()
"""
    listed = ran(far, text)
    if os.path.exists("/proc/self/fd"):
        assert listed == "['0', '1', '2', '3'] True\n"  # 3 is the listing's own

"""Whole programs: without a main guard, from stdin, in a REPL; and how an interpreter ends that has a pool."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

import pytest

from tests.contract.work import PATIENCE, until


def run(*arguments, text=None, check=True):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHON_HISTORY": os.devnull}
    environment.pop("PYTHONWARNINGS", None)
    environment["PYTHON_BASIC_REPL"] = "1"
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=50,
        check=check,
    )


PROGRAM = textwrap.dedent("""
    import dataclasses, enum, functools
    from elsewhere import Pool

    print("main runs")
    FACTOR = 3

    @dataclasses.dataclass
    class Point:
        x: int

    class Colour(enum.Enum):
        RED = 1

    class Mine(Exception):
        pass

    def work(point):
        if point.x == 2:
            raise Mine("two")
        return Point(point.x * FACTOR), Colour.RED

    def initialize():
        global FACTOR
        FACTOR = 10

    {body}
""")
BODY = """
with Pool(2) as pool:
    values = pool.map(work, [Point(1), Point(2)], return_exceptions=True)
    print(values[0] == (Point(3), Colour.RED), type(values[1]) is Mine, values[1].args)
    print(pool.map(lambda x: x + FACTOR, [1]), pool.map(functools.partial(pow, 2), [3]))
    FACTOR = 4
    print(pool.apply(work, (Point(1),))[0].x)
with Pool(1, initialize) as pool:
    print(pool.apply(work, (Point(1),))[0].x, FACTOR)
"""
OUTPUT = ["main runs", "True True ('two',)", "[4] [8]", "4", "10 4"]


@pytest.mark.parametrize("how", ["file", "stdin", "-c", "package", "spawn"])
def test_a_script_without_a_main_guard(tmp_path, how):
    program = PROGRAM.format(body=BODY.replace("Pool(", "Pool(context='spawn', processes=") if how == "spawn" else BODY)
    program = program.replace("processes=1, initialize", "processes=1, initializer=initialize")
    if how in ("file", "spawn"):
        (tmp_path / "script.py").write_text(program)
        done = run(tmp_path / "script.py")
    elif how == "stdin":
        done = run("-", text=program)
    elif how == "-c":
        done = run("-c", program)
    else:
        (tmp_path / "__main__.py").write_text(program)
        done = run(tmp_path)
    assert done.stdout.splitlines() == OUTPUT
    assert done.stderr == ""


def test_a_script_with_a_main_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PROGRAM.format(body="if __name__ == '__main__':\n" + textwrap.indent(BODY, "    ")))
    done = run(script)
    assert (done.stdout.splitlines(), done.stderr) == (OUTPUT, "")


def test_in_a_repl():
    lines = [
        "from elsewhere import Pool",
        "factor = 2",
        "def times(x): return factor * x",
        "",
        "pool = Pool(2)",
        "pool.map(times, range(3))",
        "factor = 5",
        "pool.map(times, range(3))",
        "def times(x): return 'new'",
        "",
        "pool.map(times, [1])",
        "import elsewhere; elsewhere.map(lambda x: x + factor, [1])",
        "pool.terminate()",
        "exit()",
        "",
    ]
    done = run("-i", "-q", text="\n".join(lines))
    assert done.stdout.splitlines() == ["[0, 2, 4]", "[0, 5, 10]", "['new']", "[6]"]
    assert "Error" not in done.stderr


# ---- the end of the interpreter ----------------------------------------------------------------------------------

FORGETFUL = """
import sys, time
from elsewhere import Pool

pool = Pool(2)
print(*[pool.apply(__import__("os").getpid) for _ in range(20)], flush=True)
{calls}
"""


def _gone(pid):
    return not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize(
    ("calls", "lost"),
    [
        ("futures = [pool.submit(time.sleep, 60) for _ in range(7)]", 7),
        ("future = pool.map_async(time.sleep, [60] * 5)", 5),
        ("pool.close(); future = None", 0),
        ("future = pool.submit(time.sleep, 0); future.result()", 0),
    ],
)
def test_a_forgotten_pool_drops_its_work_with_one_warning(calls, lost):
    begin = time.monotonic()
    done = run("-c", FORGETFUL.format(calls=calls))
    assert time.monotonic() - begin < PATIENCE
    if lost:
        assert done.stderr.count("calls were lost") == 1
        assert (
            f"RuntimeWarning: {lost} calls were lost: the interpreter ended while a pool was still open" in done.stderr
        )
    else:
        assert "lost" not in done.stderr
    assert "Traceback" not in done.stderr
    for pid in set(done.stdout.split()):
        until(lambda pid=pid: _gone(pid), f"the end of worker {pid}")


def test_an_unhandled_exception_ends_the_program_and_its_pool():
    done = run("-c", FORGETFUL.format(calls="with pool:\n    pool.submit(time.sleep, 60)\n    1 / 0"), check=False)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert done.stderr.count("Traceback") == 1


def test_sys_exit_keeps_its_code():
    done = run("-c", FORGETFUL.format(calls="pool.submit(time.sleep, 60); sys.exit(7)"), check=False)
    assert done.returncode == 7
    assert done.stderr.count("1 calls were lost") == 1


def test_a_with_block_that_waits_long_says_for_what():
    quick = "import elsewhere.pool.pool as p; p.PATIENCE = 0.1\npool = Pool(2)"
    body = "with pool:\n    pool.options(name='nightly job').submit(time.sleep, 0.3)"
    done = run("-c", FORGETFUL.replace("pool = Pool(2)", quick).format(calls=body))
    waits = "elsewhere: leaving the pool waits for 1 calls, 1 of them running (nightly job); Ctrl-C ends them\n"
    assert done.stderr == waits


def test_where_too_few_files_may_be_open_it_says_so_and_what_to_do():
    text = """
        import resource
        from elsewhere import Pool, WorkerStartError
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        try:
            with Pool(40) as pool:
                pool.map(abs, range(1000))
        except WorkerStartError as error:
            print(error)
    """
    printed = run("-c", textwrap.dedent(text)).stdout
    assert "Too many open files: have fewer workers, close some files, or raise the limit (ulimit -n)" in printed

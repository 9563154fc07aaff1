"""docs/rules.md: what it says comes of its programs, and what it says of cores, guards and prompts."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, ROOT, play
from tests.require import require

RULES = ROOT / "examples" / "rules"
PATIENCE = 60.0
CORES = os.cpu_count() or 1
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in {"ELSEWHERE_CPUS", "PYTHON_CPU_COUNT"}},
    "PYTHONPATH": str(ROOT / "src"),
    "PYTHONUNBUFFERED": "1",
}
THEIRS = "from multiprocessing import get_context\nPool = get_context({method!r}).Pool\n"


def usable() -> int:
    """As many workers as a Pool takes here."""
    code = "import elsewhere\nwith elsewhere.Pool() as pool: print(pool.statistics().size)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}  # with what ELSEWHERE_CPUS says
    return int(subprocess.check_output([sys.executable, "-c", code], env=environment, timeout=PATIENCE))


def test_the_page_is_as_it_says(tmp_path):
    require(module="numpy", install="pip install 'elsewhere[numpy]'")
    cores = usable()
    instead = {
        "has 2 cores, a Pool takes 2 workers": f"has {CORES} cores, a Pool takes {cores} workers",
        "s, 2 at a time": f"s, {cores} at a time",  # before the next: with six cores, its number is the page's of that
        "s, 6 at a time": f"s, {min(32, cores + 4)} at a time",
    }
    play(DOCS / "rules.md", tmp_path, instead={ours: there for ours, there in instead.items() if ours != there})


def test_each_program_stands_on_the_page():
    page = (DOCS / "rules.md").read_text()
    programs = {f"examples/rules/{file.name}" for file in RULES.iterdir() if file.suffix}
    assert programs == set(re.findall(r'^```python title="(.*)"$', page, re.MULTILINE))


# ---- cores -----------------------------------------------------------------------------------------------------------


def first_line_of_cores(folder: Path, *before: str) -> str:
    """Of the program, with next to no work; `before` stands before it on the command line."""
    program = folder / "cores.py"
    text = (RULES / "cores.py").read_text()
    assert "CALLS = 60\n" in text
    program.write_text(text.replace("CALLS = 60\n", "CALLS = 1\n").replace("(1, 2, 4, 8, 16)", "(1,)"))
    said = subprocess.check_output(
        [*before, sys.executable, str(program)], env=ENVIRONMENT, cwd=folder, text=True, timeout=PATIENCE
    )
    return said.splitlines()[0]


def one_core() -> str:
    text = (DOCS / "rules.md").read_text()
    assert text.count("the machine has 2 cores, a Pool takes 1 workers\n") == 1
    return f"the machine has {CORES} cores, a Pool takes 1 workers"


def test_workers_are_as_many_as_the_affinity_allows(tmp_path):
    require(program="taskset", install="apt-get install util-linux")
    core = min(os.sched_getaffinity(0))
    assert first_line_of_cores(tmp_path, "taskset", "-c", str(core)) == one_core()


@contextlib.contextmanager
def quota_of_one_core() -> Iterator[Path]:
    """A cgroup with it: the file to write a process's number to."""
    v1, v2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
    top, limits = (v1, ("cpu.cfs_quota_us", "100000")) if v1.is_dir() else (v2, ("cpu.max", "100000 100000"))
    folder = top / f"elsewhere-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"cgroups cannot be made here: {error}")
    try:
        try:
            (folder / limits[0]).write_text(limits[1])
        except OSError as error:
            pytest.skip(f"there are no CPU quotas here: {error}")
        yield folder / "cgroup.procs"
    finally:
        end = time.monotonic() + PATIENCE
        while True:  # it is busy until the kernel has forgotten the last that was in it
            with contextlib.suppress(OSError):
                folder.rmdir()
                break
            assert time.monotonic() < end
            time.sleep(0.01)


def test_workers_are_as_many_as_the_quota_allows(tmp_path):
    with quota_of_one_core() as members:
        said = first_line_of_cores(tmp_path, "sh", "-c", f'echo $$ > {members} && exec "$@"', "sh")
    assert said == one_core()


# ---- no guard --------------------------------------------------------------------------------------------------------


def test_without_a_guard_their_children_die_again_and_again(tmp_path):
    program = tmp_path / "theirs.py"
    program.write_text((RULES / "no_guard.py").read_text().replace("from elsewhere", "from multiprocessing"))
    with subprocess.Popen(
        [sys.executable, program],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        deaths = 0
        for line in process.stdout:
            deaths += line.startswith("RuntimeError")
            if deaths > 5:  # three for each worker of two: it is not the first ones alone
                process.terminate()  # and what it has started ends by itself
        assert process.wait(PATIENCE) == -signal.SIGTERM
    assert deaths > 5


# ---- prompts ---------------------------------------------------------------------------------------------------------

TYPED = (RULES / "prompt.py").read_text()
SHOWN = "doubling 21\n[42]\n"


def typed(method: str) -> str:
    """The same with multiprocessing; a bound for what waits for ever."""
    text = TYPED.replace("from elsewhere import Pool\n", THEIRS.format(method=method))
    return text.replace("pool.map(double, [21])", "pool.map_async(double, [21]).get(3)")


def at_a_prompt(text: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-i", "-q"],
        input=text + "\n",  # an empty line ends the block
        cwd=folder,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=PATIENCE,
    )
    return re.sub(r"^(>>> |\.\.\. )+", "", done.stdout, flags=re.MULTILINE)


def test_at_a_prompt(tmp_path):
    assert f"```text\n{SHOWN}```" in (DOCS / "rules.md").read_text()
    assert at_a_prompt(TYPED, tmp_path).strip() == SHOWN.strip()
    assert at_a_prompt(typed("fork"), tmp_path).strip() == SHOWN.strip()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_at_a_prompt_their_children_find_no_function(tmp_path, method):
    said = at_a_prompt(typed(method), tmp_path)
    assert "AttributeError: Can't get attribute 'double'" in said
    assert "multiprocessing.context.TimeoutError" in said


@pytest.fixture
def window(tmp_path):
    require(module="tkinter", install="apt-get install python3-tk")
    require(module="idlelib.rpc", install="apt-get install idle")
    from tests.docs.idle import idle

    with idle(tmp_path, ENVIRONMENT) as made:
        yield made


def test_in_idle(window, tmp_path):
    assert window.run(TYPED) == SHOWN
    assert window.run(TYPED.replace("2 *", "3 *")) == SHOWN.replace("42", "63")
    bar = window.run("import elsewhere\nelsewhere.map(abs, range(100), progress=True)")
    assert re.fullmatch(r"abs: 100/100  100%.*\n", bar), bar
    assert window.terminal.read_text() == ""
    window.run("process = elsewhere.Process(target=double, args=(4,))")
    assert window.run("process.start(); print(process.result()); process.join()") == "12\n"
    assert window.terminal.read_text() == "doubling 4\n"


def test_an_interrupt_in_idle(window, tmp_path):
    os.mkfifo(tmp_path / "begun")
    window.run("import elsewhere, time\ndef hang(_):\n    open('begun', 'w').close()\n    time.sleep(1000)\n")
    window.run("pool = elsewhere.Pool(2)")
    asked = window.begin("pool.map(hang, [1])")
    with (tmp_path / "begun").open():
        window.client.remotecall("exec", "interrupt_the_server", (), {})
    assert window.finish(asked).rstrip().endswith("KeyboardInterrupt")
    assert window.run("print(pool.map(abs, [-2])); pool.terminate()") == "[2]\n"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_idle_theirs_waits_for_ever(window, method):
    said = window.run(typed(method))
    assert said.rstrip().endswith("multiprocessing.context.TimeoutError"), said
    assert ("AttributeError: Can't get attribute 'double'" in window.terminal.read_text()) == (method == "spawn")

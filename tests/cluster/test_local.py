"""`Pool(where="dask")`: a scheduler and workers on this machine, which are gone when the pool is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from elsewhere import Pool, WorkerLost, WorkerStartError
from elsewhere.cluster import programs
from tests.cluster import work
from tests.cluster.programs import descendants
from tests.contract.work import until
from tests.require import require

require(module="distributed", install="pip install 'elsewhere[dask]'")

SCRIPT = """
import os, sys, time
from elsewhere import Pool

def triple(x):
    return 3 * x

pool = Pool(2, where="dask")
print(pool.map(triple, range(5)), flush=True)
if sys.argv[1] == "wait":
    while pool.statistics().workers < 2:
        time.sleep(0.01)
    print("ready", flush=True)
    time.sleep(600)
pool.close()
pool.join()
print("done", flush=True)
"""


def test_it_serves_calls_replaces_a_killed_worker_and_is_gone_with_the_pool() -> None:
    before = set(os.listdir(tempfile.gettempdir()))
    with Pool(2, where="dask") as pool:
        until(lambda: pool.statistics().workers == 2, "the far workers are there")
        assert pool.map(work.triple, range(9)) == [3 * x for x in range(9)]
        _, killed, _ = pool.apply(work.whereabouts)
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in set(descendants(os.getpid())), "it is replaced")
        until(lambda: pool.statistics().workers == 2, "the far workers are there again")
        parents = set(pool.options(retry=3).map(work.parent_of, range(40), chunksize=1))
        assert killed not in parents
    assert not any(Path(f"/proc/{pid}").exists() for pid in parents)
    assert set(os.listdir(tempfile.gettempdir())) <= before


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    said = subprocess.run([sys.executable, str(script), "go"], capture_output=True, text=True, timeout=100, check=True)
    assert said.stdout.splitlines() == ["[0, 3, 6, 9, 12]", "done"]
    assert said.stderr == ""


@pytest.mark.slow
def test_nothing_stays_after_kill_9(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    folder = tmp_path / "tmp"
    folder.mkdir()
    caller = subprocess.Popen(
        [sys.executable, str(script), "wait"], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(folder)}
    )
    with caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == b"[0, 3, 6, 9, 12]\n"
        assert caller.stdout.readline() == b"ready\n"
        family = descendants(caller.pid)
        assert len(family) >= 5  # scheduler, two workers, two children
        caller.send_signal(signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), "all of them have gone")
    until(lambda: not list(folder.iterdir()), "their folders are removed")


def test_programs_that_do_not_start_are_an_error(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(programs, "_source", lambda: "import sys; sys.exit(3)")
    with pytest.raises(WorkerStartError, match="ended with status 3 before it served"):
        Pool(2, where="dask")


def test_a_killed_scheduler_ends_the_pool() -> None:
    before = set(descendants(os.getpid()))
    with pytest.raises(WorkerLost, match="Dask's scheduler is lost"), Pool(1, where="dask") as pool:
        future = pool.submit(work.note_and_wait, tempfile.gettempdir(), os.getpid())
        mark = Path(tempfile.gettempdir(), str(os.getpid()))
        until(mark.exists, "it runs")
        mark.unlink()
        os.kill(min(set(descendants(os.getpid())) - before), signal.SIGKILL)  # the scheduler was started first
        future.result(timeout=60)

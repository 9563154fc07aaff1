"""A worker that leaves in order ends as an interpreter does: threads, finalizers, atexit."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.util import Finalize

import pytest

from elsewhere import Pool
from elsewhere.runtime.worker import main

METHODS = pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])


def note(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(text + "\n")


def register(path: str) -> int:
    atexit.register(note, path, f"atexit {os.getpid()}")
    return os.getpid()


def register_all(path: str) -> None:
    atexit.register(note, path, "atexit")
    Finalize(None, note, args=(path, "finalizer"), exitpriority=1)
    threading._register_atexit(note, path, "threading")  # type: ignore[attr-defined]  # as concurrent.futures does


def register_one_that_fails(path: str) -> None:
    atexit.register(note, path, "atexit")
    atexit.register(fail)
    Finalize(None, fail, exitpriority=1)


def fail() -> None:
    raise RuntimeError("at the end")


def leave_threads(path: str) -> None:
    """Some that end only when the worker has begun to leave."""
    leaving = threading.Event()
    threading._register_atexit(leaving.set)  # type: ignore[attr-defined]  # the first thing that an interpreter's end does

    def wait_and_note(text: str) -> None:
        leaving.wait(30)
        note(path, text)

    executor = ThreadPoolExecutor(1)
    executor.submit(wait_and_note, "executor")
    threading.Thread(target=wait_and_note, args=("thread",)).start()
    threading.Thread(target=leaving.wait, args=(3600,), daemon=True).start()


def leave_an_endless_thread(path: str) -> None:
    threading.Thread(target=threading.Event().wait, name="endless").start()
    atexit.register(note, path, "atexit")


def lines(path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@METHODS
def test_atexit_runs_when_the_pool_is_closed(method, tmp_path):
    path = tmp_path / "notes"
    with Pool(1, context=method) as pool:
        pid = pool.apply(register, (str(path),))
        assert lines(path) == []
    assert lines(path) == [f"atexit {pid}"]


@METHODS
@pytest.mark.parametrize("option", [{"maxtasksperchild": 1}, {"max_memory": 1}])
def test_atexit_runs_when_a_worker_is_replaced(method, option, tmp_path):
    path = tmp_path / "notes"
    with Pool(1, context=method, **option) as pool:
        pids = pool.map(register, [str(path)] * 3, chunksize=1)
    assert set(lines(path)) == {f"atexit {pid}" for pid in pids}
    assert len(set(pids)) == 3 or "max_memory" in option


@METHODS
def test_atexit_does_not_run_when_the_pool_is_terminated(method, tmp_path):
    path = tmp_path / "notes"
    with Pool(1, context=method) as pool:
        pool.apply(register, (str(path),))
        pool.terminate()
    assert lines(path) == []


@METHODS
def test_what_the_caller_registered_is_the_callers(method, tmp_path):
    path = tmp_path / "notes"
    atexit.register(note, str(path), "caller")
    try:
        with Pool(1, context=method) as pool:
            pool.apply(os.getpid)
    finally:
        atexit.unregister(note)
    assert lines(path) == []


@METHODS
def test_everything_runs_in_the_order_of_an_interpreter(method, tmp_path):
    path = tmp_path / "notes"
    with Pool(1, context=method) as pool:
        pool.apply(register_all, (str(path),))
        pool.apply(leave_threads, (str(tmp_path / "others"),))
    assert lines(path) == ["threading", "finalizer", "atexit"]


@METHODS
def test_threads_are_waited_for(method, tmp_path, capsys):
    path = tmp_path / "notes"
    with Pool(1, context=method) as pool:
        pool.apply(leave_threads, (str(path),))
    assert sorted(lines(path)) == ["executor", "thread"]
    assert capsys.readouterr().err == ""  # and for nothing else, such as the main thread


def test_one_that_fails_is_shown_and_does_not_stop_the_others(tmp_path, capsys):
    path = tmp_path / "notes"
    with Pool(1) as pool:
        pool.apply(register_one_that_fails, (str(path),))
    assert lines(path) == ["atexit"]
    assert capsys.readouterr().err.count("RuntimeError: at the end") == 2


def test_a_thread_that_never_ends_is_left_behind(tmp_path, monkeypatch, capsys):
    path = tmp_path / "notes"
    monkeypatch.setattr(main, "THREADS_PATIENCE", 0.2)
    with Pool(1, context="fork") as pool:  # so that the worker knows of the shorter patience
        pool.apply(leave_an_endless_thread, (str(path),))
        with contextlib.suppress(ValueError):
            pool.close()
    assert lines(path) == ["atexit"]
    assert "threads of its calls have not ended in 0.2 s: 'endless'" in capsys.readouterr().err

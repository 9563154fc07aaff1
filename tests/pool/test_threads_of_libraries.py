"""BLAS and OpenMP in workers keep to the workers' share of the cores; pools without a number do, too."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from elsewhere import Pool
from elsewhere.runtime.launch.share import CPUS, THREAD_COUNTS
from tests.require import require

METHODS = pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in (CPUS, *THREAD_COUNTS):
        monkeypatch.delenv(name, raising=False)


def environ(_: Any = None) -> dict[str, str]:
    return dict(os.environ)


def counts(_: Any = None) -> set[str | None]:
    return {os.environ.get(name) for name in THREAD_COUNTS}


def threads_after_matmul(_: Any = None) -> int:
    """The most threads of this process: BLAS keeps those it has started."""
    import numpy as np

    block = np.ones((1500, 1500))
    assert (block @ block)[0, 0] == 1500
    return len(os.listdir("/proc/self/task"))


def threads_that_are_used(_: Any = None) -> int:
    """After a fork, a thread is started again only to be told that it is not needed."""
    import threadpoolctl

    threads_after_matmul()
    return max(one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas")


def size_of_a_pool(_: Any = None) -> int:
    with Pool() as pool:
        return pool.statistics().size


def nested_counts(processes: int) -> tuple[int, set[str | None]]:
    with Pool(processes) as pool:
        return pool.statistics().size, pool.apply(counts)


def in_a_program(_: Any = None) -> str:
    code = "from elsewhere import Pool\nwith Pool() as pool: print(pool.statistics().size)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@METHODS
@pytest.mark.parametrize(("cores", "workers", "share"), [("8", 2, "4"), ("8", 3, "2"), ("2", 4, "1")])
def test_each_worker_has_its_share(method, cores, workers, share, monkeypatch):
    monkeypatch.setenv(CPUS, cores)
    with Pool(workers, context=method) as pool:
        assert pool.apply(counts) == {share}


@METHODS
def test_nothing_else_in_the_environment_differs(method):
    with Pool(2, context=method) as pool:
        found = pool.apply(environ)
    assert {name: value for name, value in found.items() if name not in {CPUS, *THREAD_COUNTS}} == dict(os.environ)
    assert not {CPUS, *THREAD_COUNTS} & set(os.environ)


def test_what_limits_libraries_that_came_with_a_fork_adds_nothing_to_the_environment():
    require(module="threadpoolctl", install="pip install threadpoolctl")
    code = """
import os, numpy
from elsewhere import Pool
with Pool(2, context="fork") as pool:
    found = pool.apply(lambda: sorted(os.environ))
print(sorted({*found} - {*os.environ}))
"""
    env = {name: value for name, value in os.environ.items() if not name.startswith("KMP_")}  # what it sets
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert run.stdout == f"{sorted([CPUS, *THREAD_COUNTS])}\n"


@METHODS
def test_what_the_user_has_set_is_kept(method, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with Pool(2, context=method) as pool:
        found = pool.apply(environ)
    assert found["OMP_NUM_THREADS"] == "7"
    assert found["OPENBLAS_NUM_THREADS"] == found[CPUS] != "7"


@METHODS
def test_numpy_has_no_more_threads_than_its_share(method, monkeypatch):
    require(module="numpy", install="pip install numpy")
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("with one core there is nothing to hold")
    if method == "fork":
        require(module="threadpoolctl", install="pip install threadpoolctl")  # NumPy is loaded here already
        threads_after_matmul()
    count = threads_that_are_used if method == "fork" else threads_after_matmul
    found = {}
    for workers in (1, 2):
        monkeypatch.setenv(CPUS, "2")
        with Pool(workers, context=method) as pool:
            found[workers] = pool.apply(count)
    assert found[2] == 1
    assert found[1] == 2, "held to more than its share: the test sees nothing"


def test_numpy_that_is_preloaded_has_no_more_either():
    require(module="numpy", install="pip install numpy")
    with Pool(2, preload=("numpy",)) as pool:
        assert pool.apply(threads_after_matmul) == 1


@METHODS
def test_pools_inside_workers_share_one_budget(method, monkeypatch):
    monkeypatch.setenv(CPUS, "8")
    with Pool(context=method) as pool:
        assert pool.statistics().size == 8
        assert pool.apply(size_of_a_pool) == 1
    with Pool(2, context=method) as pool:
        assert pool.apply(size_of_a_pool) == 4
        assert pool.apply(nested_counts, (2,)) == (2, {"2"})
        assert pool.apply(nested_counts, (9,)) == (9, {"1"}), "a number is honoured"
        assert pool.apply(in_a_program) == "4"


def test_what_the_user_has_set_is_kept_in_nested_pools(monkeypatch):
    monkeypatch.setenv(CPUS, "8")
    for name in THREAD_COUNTS:
        monkeypatch.setenv(name, "3")
    with Pool(2) as pool:
        assert pool.apply(nested_counts, (2,)) == (2, {"3"})


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "\N{ARABIC-INDIC DIGIT TWO}"])
def test_something_that_is_no_number_of_cores(value, monkeypatch):
    monkeypatch.setenv(CPUS, value)
    with pytest.raises(ValueError, match="ELSEWHERE_CPUS is a whole number from 1 up, not"):
        Pool()

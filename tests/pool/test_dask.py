"""Dask on `pool.executor()`: what it asks of an executor of the standard library."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

import pytest

from elsewhere import Pool
from tests.require import require

dask: Any = require(module="dask", install="pip install dask")
bag: Any = require(module="dask.bag", install="pip install 'dask[bag]'")


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Pool(2) as pool:
        while len(set(pool.map(pid, [0.01] * 8))) < 2:
            pass  # a worker that comes later would open its descriptors in the middle of a test
        yield pool.executor()


def pid(seconds: object = None) -> int:
    if type(seconds) is float:
        time.sleep(seconds)
    return os.getpid()


def divide(x: float, y: float) -> float:
    return x / y


def test_it_knows_how_many_workers_there_are(executor):
    assert executor._max_workers == 2
    with Pool(3, where="threads") as pool:
        assert pool.executor()._max_workers == 3


def test_delayed(executor):
    parts = [dask.delayed(divide)(x, 2) for x in range(10)]
    total, largest = dask.delayed(sum)(parts), dask.delayed(max)(parts)
    assert dask.compute(total, largest, scheduler=executor) == (22.5, 4.5)
    assert os.getpid() not in dask.compute(*(dask.delayed(pid)(x) for x in range(4)), scheduler=executor)


def test_a_scheduler_for_all_of_a_block(executor):
    with dask.config.set(scheduler=executor):
        assert dask.delayed(pid)().compute() != os.getpid()
    for scheduler in "processes", "threads":
        with dask.config.set(pool=executor, scheduler=scheduler):
            assert dask.delayed(pid)().compute() != os.getpid()


def test_a_bag_with_lambdas(executor):
    numbers = bag.from_sequence(range(100), npartitions=5)
    odd = numbers.filter(lambda x: x % 2).map(lambda x: x * x)
    assert odd.sum().compute(scheduler=executor) == sum(x * x for x in range(1, 100, 2))
    groups = numbers.foldby(lambda x: x % 3, lambda total, x: total + x, 0)
    assert sorted(groups.compute(scheduler=executor)) == [(0, 1683), (1, 1617), (2, 1650)]


def test_an_array(executor):
    require(module="numpy", install="pip install numpy")
    array: Any = require(module="dask.array", install="pip install 'dask[array]'")
    ones = array.ones((100, 100), chunks=(25, 50))
    assert float((ones @ ones.T).sum().compute(scheduler=executor)) == 1_000_000.0


def test_the_functions_own_error(executor):
    with pytest.raises(ZeroDivisionError) as caught:
        dask.compute([dask.delayed(divide)(1, x) for x in range(3)], scheduler=executor)
    assert "in divide" in str(caught.value.__cause__)
    assert dask.compute(dask.delayed(divide)(1, 1), scheduler=executor) == (1.0,)

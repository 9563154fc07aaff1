"""Large arrays and bytes on their way to workers and back: what arrives, what it is backed by, and what is left."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import pickle
import resource
import signal

import pytest

from elsewhere import Pool, WorkerLost
from elsewhere.errors import PoolClosed
from elsewhere.runtime.memory import headroom, lease
from elsewhere.runtime.memory.buffers import LARGE
from tests.contract.work import until
from tests.pool import large
from tests.require import require

np = require(module="numpy", install="pip install numpy")

if not hasattr(os, "memfd_create"):
    pytest.skip("needs memfd", allow_module_level=True)

SIZE = 100_000  # of float64: 800 kB


def store(pool):
    return pool._driver._freight.store


def exchanges(pool):
    return [channel.memory for channel in pool._driver._channels.values()]


def leased(pool):
    """Live leases of results in this process."""
    for exchange in exchanges(pool):
        exchange.leases.settle()
    return sum(exchange.leases.live for exchange in exchanges(pool))


def backed(array):
    """Does the array lie in a block?"""
    address = array.__array_interface__["data"][0]
    with open("/proc/self/maps") as file:
        for line in file:
            if "memfd:elsewhere-block" in line:
                low, high = (int(part, 16) for part in line.split()[0].split("-"))
                if low <= address < high:
                    return True
    return False


# ---- what arrives ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
def test_arrays_arrive_writable_and_come_back_in_a_block(method):
    array = np.arange(SIZE, dtype=float)
    with Pool(1, context=method) as pool:
        assert pool.apply(large.describe, (array,)) == [("ndarray", True)]
        result = pool.apply(large.add_one, (array,))
        assert (result == np.arange(SIZE) + 1).all()
        assert (array == np.arange(SIZE)).all(), "the caller's own is not touched"
        assert result.flags.writeable
        assert backed(result)
        result += 1
    assert result[5] == 7  # it outlives its pool


def _arrays():
    yield "fortran", np.asfortranarray(np.arange(SIZE, dtype=float).reshape(100, -1))
    yield "non-contiguous", np.arange(SIZE, dtype=float).reshape(100, -1)[::2, ::3]
    yield "transposed", np.arange(SIZE, dtype=float).reshape(100, -1).T
    yield "three dimensions", np.arange(SIZE, dtype=np.int16).reshape(10, 100, -1)
    yield "empty", np.empty((0, 5))
    yield "zero dimensions", np.array(5.0)
    yield "objects", np.array([{"a": 1}, None, "x" * 100_000] * 1000, dtype=object)
    yield "structured", np.zeros(SIZE, dtype=[("name", "S8"), ("value", "f8"), ("at", "M8[s]")])
    yield "texts", np.array(["abc", "defgh"] * SIZE)
    yield "bools", np.arange(SIZE) % 3 == 0
    yield "the smallest large one", np.zeros(LARGE, dtype=np.uint8)
    yield "the largest small one", np.zeros(LARGE - 1, dtype=np.uint8)
    yield "masked", np.ma.masked_greater(np.arange(SIZE), 50)
    yield "read-only", np.frombuffer(bytes(SIZE), dtype=np.uint8)


ARRAYS = list(_arrays())


@pytest.mark.parametrize(("name", "array"), ARRAYS, ids=[name for name, _ in ARRAYS])
def test_arrays_of_every_kind(name, array):
    with Pool(1) as pool:
        result = pool.apply(large.identity, (array,))
    expected = pickle.loads(pickle.dumps(array, 5))
    assert type(result) is type(expected)
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    assert np.array_equal(result, expected)
    assert result.flags.writeable == expected.flags.writeable
    assert result.flags.f_contiguous == expected.flags.f_contiguous


@pytest.mark.parametrize("size", [0, 10, LARGE - 1, LARGE, 3_000_000])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_arrive_as_what_they_are(kind, size):
    value = kind(os.urandom(size))
    with Pool(1) as pool:
        for result in (
            pool.apply(large.identity, (value,)),
            pool.submit(large.identity, value=value).result(),
            *pool.map(large.identity, [value]),
            *pool.imap(large.identity, [value]),
            *pool.starmap(large.identity, [(value,)]),
            pool.apply(large.identity, ([{"in": value}],))[0]["in"],
        ):
            assert type(result) is kind
            assert result == value
        assert pool.apply(large.describe, (value,)) == [(kind.__name__, None)]


def test_memoryviews_keep_their_format_and_shape():
    values = [
        memoryview(np.arange(SIZE, dtype=np.int32)),
        memoryview(np.arange(SIZE, dtype=float).reshape(100, -1)),
        memoryview(np.asfortranarray(np.arange(SIZE, dtype=float).reshape(100, -1))),
        memoryview(bytes(SIZE))[::3],
        memoryview(bytes(12)).cast("I"),
    ]
    with Pool(1) as pool:
        for value in values:
            result = pool.apply(large.identity, (value,))
            assert (result.format, result.shape, result.tolist()) == (value.format, value.shape, value.tolist())
        with pytest.raises(TypeError, match="memoryview of format"):
            pool.submit(large.identity, memoryview(np.zeros(SIZE, dtype=">f8")))


def test_one_object_given_twice_is_one_object():
    data, array = bytearray(SIZE), np.ones(SIZE)
    with Pool(1) as pool:
        assert pool.apply(is_one, (data, data))
        assert pool.apply(is_one, (array, array))
        assert not pool.apply(is_one, (array, array.copy()))


def is_one(first, second):
    return first is second


def test_nested_in_lists_dicts_and_objects():
    value = {"list": [np.ones(SIZE), np.zeros(SIZE, dtype=int)], "object": large.Counted(np.arange(SIZE))}
    with Pool(1) as pool:
        result = pool.apply(large.identity, (value,))
    assert backed(result["list"][0])
    assert backed(result["object"].array)
    assert (result["object"].array == np.arange(SIZE)).all()
    assert result["list"][1].dtype == int


def test_a_pickle_that_is_large_without_buffers():
    value = [(index, str(index)) for index in range(30_000)]
    with Pool(1) as pool:
        assert pool.apply(large.identity, (value,)) == value
        assert pool.map(str.upper, ["x" * 200_000]) == ["X" * 200_000]
        assert store(pool).blocks > 0


def test_many_arrays_in_one_value_share_blocks():
    with Pool(1) as pool:
        result = pool.apply(large.many, (500, 10_000))
        assert [int(array[0]) for array in result] == list(range(500))
        assert leased(pool) <= 20
        back = pool.apply(large.identity, (result,))
        assert all((a == b).all() for a, b in zip(result, back, strict=True))


# ---- whose it is -------------------------------------------------------------------------------------------------


def test_what_a_call_does_to_its_argument_is_seen_by_nobody_else():
    array = np.zeros(SIZE)
    with Pool(2) as pool:
        results = pool.map(large.add_one, [array] * 20)
    assert all((result == 1).all() for result in results)
    assert (array == 0).all()
    for number, result in enumerate(results):
        result[:] = number
    assert all((result == number).all() for number, result in enumerate(results))


def test_an_argument_that_a_worker_keeps_is_not_used_again():
    with Pool(1) as pool:
        for number in range(10):
            pool.apply(large.keep, (np.full(SIZE, number),))
        assert pool.apply(large.kept_sums) == [number * SIZE for number in range(10)]
        pool.apply(large.let_go)
        before = store(pool).blocks
        for number in range(20):
            assert pool.apply(large.total, (np.full(SIZE, number),)) == number * SIZE
        assert store(pool).blocks <= before


def test_a_view_of_a_result_keeps_it():
    with Pool(1) as pool:
        result = pool.apply(large.filled, (7, SIZE))
        view = result.reshape(100, -1).T[3:5]
        del result
        for _ in range(10):
            pool.apply(large.filled, (8, SIZE))
        assert (view == 7).all()
        assert leased(pool) == 1
        del view
        assert leased(pool) == 0


def test_read_only_when_the_call_may_be_retried():
    data = [np.ones(SIZE), bytes(SIZE), bytearray(SIZE)]
    with Pool(1) as pool:
        found = pool.options(retry=2).submit(large.describe, *data).result()
        assert found == [("ndarray", False), ("bytes", None), ("bytearray", None)]
        assert pool.submit(large.describe, *data).result()[0] == ("ndarray", True)


def test_a_call_that_is_retried_finds_its_argument_as_it_was(tmp_path):
    with Pool(1) as pool:
        result = pool.options(retry=3).submit(die_the_first_time, np.ones(SIZE), str(tmp_path / "been")).result()
    assert result == SIZE


def die_the_first_time(array, path):
    if not os.path.exists(path):
        with open(path, "w"):
            large.die()
    return float(array.sum())


def test_calls_of_a_lost_worker_that_had_not_begun_keep_their_arguments():
    with Pool(1) as pool:
        inputs = [np.full(SIZE, value) for value in (1, -1, 2, 3)]
        found = pool.map(large.die_if, inputs, chunksize=4, return_exceptions=True)
    assert [found[0], *found[2:]] == [SIZE, 2 * SIZE, 3 * SIZE]
    assert isinstance(found[1], WorkerLost)


def test_a_forked_copy_of_this_process_keeps_seeing_what_it_had():
    with Pool(1) as pool:
        result = pool.apply(large.filled, (7, SIZE))
        go, answer = os.pipe(), os.pipe()
        child = os.fork()
        if not child:
            os.read(go[0], 1)
            os.write(answer[1], b"y" if (result == 7).all() else b"n")
            os._exit(0)
        del result
        for _ in range(5):  # would be written where the child still looks
            pool.apply(large.filled, (8, SIZE))
        os.write(go[1], b"x")
        assert os.read(answer[0], 1) == b"y"
        os.waitpid(child, 0)
    for fd in (*go, *answer):
        os.close(fd)


# ---- what is left ------------------------------------------------------------------------------------------------


def test_blocks_are_used_again():
    with Pool(2) as pool:
        array = np.ones(SIZE)
        for _ in range(10):
            pool.map(large.add_one, [array] * 4)
        blocks, maps = store(pool).blocks, large.block_maps()
        descriptors, in_workers = large.descriptors(), max(pool.map(large.block_maps, range(20), chunksize=1))
        for number in range(500):
            assert pool.apply(large.add_one, (np.full(SIZE, number),))[0] == number + 1
        assert store(pool).blocks <= blocks + 4
        assert large.block_maps() <= maps + 8
        assert large.descriptors() <= descriptors + 8
        assert max(pool.map(large.block_maps, range(20), chunksize=1)) <= in_workers + 8


def test_results_that_are_dropped_one_by_one_need_few_blocks():
    with Pool(2) as pool:
        for result in pool.imap_unordered(large.ones, [SIZE] * 300):
            assert result[0] == 1
            del result
        assert large.block_maps() < 60


def test_a_worker_that_is_killed_gives_its_blocks_back():
    with Pool(1) as pool:
        for _ in range(3):
            pool.apply(large.keep, (np.ones(SIZE),))
        pool.apply(large.ones, (SIZE,))
        with pytest.raises(WorkerLost):
            pool.apply(large.die)
        assert pool.apply(large.total, (np.ones(SIZE),)) == SIZE
        until(lambda: len(store(pool).warm()) >= 2, "the blocks")
        assert large.block_maps() <= 6


@pytest.mark.parametrize("way", ["die", "reply_and_die"])
def test_a_large_argument_or_reply_that_is_cut_loses_only_its_call(way):
    with Pool(2) as pool:
        futures = [pool.submit(large.total, np.full(SIZE, number)) for number in range(20)]
        lost = pool.submit(getattr(large, way), 12_500_000)
        futures += [pool.submit(large.total, np.full(SIZE, number)) for number in range(20, 40)]
        with pytest.raises(WorkerLost):
            lost.result(30)
        assert [future.result(30) for future in futures] == [number * SIZE for number in range(40)]


def test_a_result_survives_the_worker():
    with Pool(1) as pool:
        result = pool.apply(large.filled, (7, SIZE))
        with pytest.raises(WorkerLost):
            pool.apply(large.die)
        pool.apply(large.filled, (8, SIZE))
        assert (result == 7).all()


def test_results_of_a_hundred_megabytes():
    with Pool(1) as pool:
        for _ in range(3):
            result = pool.apply(large.ones, (12_500_000,))
            assert result.sum() == 12_500_000
            del result


def test_results_that_nobody_wants_are_given_back():
    with Pool(1) as pool:
        for _ in range(20):
            pool.submit(large.ones, SIZE)
        until(lambda: not pool.statistics().unfinished, "the calls")
        gc.collect()
        assert leased(pool) == 0
        pool.apply(large.ones, (SIZE,))
        assert large.block_maps() < 30


def test_few_descriptors_suffice_for_many_live_arrays():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with Pool(1) as pool:
            results = pool.map(large.filled, range(600))
            assert [int(result[0]) for result in results] == list(range(600))
            assert all(map(backed, results))
            assert pool.map(large.total, results) == [20_000.0 * number for number in range(600)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# ---- limits ------------------------------------------------------------------------------------------------------


def test_past_so_many_live_blocks_results_are_copied_out(monkeypatch):
    monkeypatch.setattr(lease, "MOST_BLOCKS", lease._blocks + 10)
    with Pool(1) as pool:
        results = pool.map(large.filled, range(50))
        assert [backed(result) for result in results].count(True) == 10
        assert leased(pool) == 10
        assert [int(result[-1]) for result in results] == list(range(50))
        assert all(result.flags.writeable for result in results)
        del results
        assert backed(pool.apply(large.filled, (1,)))


def test_past_a_quarter_of_memory_results_are_copied_out(monkeypatch):
    with Pool(1) as pool:
        pool.apply(large.filled, (1, 20_000))
        assert leased(pool) == 0
        total = 4 * (lease._bytes + 1_000_000)
        monkeypatch.setattr(headroom, "total", lambda: total)
        results = pool.map(large.filled, range(20))
        assert [backed(result) for result in results].count(True) == 6
        assert [int(result[-1]) for result in results] == list(range(20))


def test_too_little_memory_is_an_error_of_the_call(monkeypatch):
    with Pool(1) as pool:
        assert pool.apply(large.total, (np.ones(SIZE),)) == SIZE
        with monkeypatch.context() as patch:
            patch.setattr(headroom, "_headroom", headroom._headroom)
            large.limit_memory(200_000_000)
            for call in (pool.apply, pool.submit, pool.apply_async):
                with pytest.raises(MemoryError, match=r"block of [\d,]+ bytes .* 200,000,000 bytes are available"):
                    call(large.total, (np.ones(25_000_000),)) if call != pool.submit else call(
                        large.total, np.ones(25_000_000)
                    )
            found = pool.imap(large.total, [np.ones(5), np.ones(25_000_000), np.ones(6)])
            assert next(found) == 5
            with pytest.raises(MemoryError):
                next(found)
            assert next(found) == 6
        pool.apply(large.limit_memory, (200_000_000,))
        with pytest.raises(MemoryError, match="200,000,000 bytes are available") as caught:
            pool.apply(large.ones, (25_000_000,))
        assert type(caught.value) is MemoryError
        assert pool.apply(large.ones, (SIZE,)).sum() == SIZE, "the worker lives"


def test_an_imap_over_large_arrays_reads_only_a_few_ahead():
    read = []

    def inputs():
        for number in range(200):
            read.append(number)
            yield np.full(8_000_000, number)

    with Pool(2) as pool:
        for at, value in enumerate(pool.imap(large.total, inputs())):
            assert value == at * 8_000_000
            assert len(read) - at <= 9
            if at == 30:
                break


# ---- pool.share --------------------------------------------------------------------------------------------------


def test_what_is_shared_goes_to_each_worker_once():
    constant = large.Counted(np.arange(SIZE))
    with Pool(2) as pool:
        handle = pool.share(constant)
        found = pool.map(functools.partial(large.use, handle), range(50), chunksize=1)
        found += pool.map(functools.partial(large.use_swapped, constant=handle), range(50), chunksize=1)
        found += pool.starmap(large.use, [(handle, number) for number in range(50)])
        found += [pool.apply(use_inside, ({"deep": [handle]},)) for _ in range(10)]
        found += pool.map(lambda _: large.use(handle), range(10))
        assert {times for _, times, _, _ in found} == {1}
        assert len({(pid, identity) for pid, _, identity, _ in found}) == len({pid for pid, _, _, _ in found})
        assert {writable for *_, writable in found} == {False}
        assert store(pool).blocks <= 2, "one block for all workers"


def use_inside(value):
    return large.use(value["deep"][0])


def test_a_worker_that_is_replaced_gets_it_again():
    with Pool(1, maxtasksperchild=2) as pool:
        handle = pool.share(large.Counted(np.arange(SIZE)))
        found = [pool.apply(large.use, (handle,)) for _ in range(6)]
    assert [times for _, times, _, _ in found] == [1] * 6
    assert len({pid for pid, *_ in found}) == 3


def test_small_objects_and_handles_inside_handles():
    with Pool(1) as pool:
        table = pool.share({"a": 1})
        both = pool.share([table, np.ones(SIZE), table])
        assert pool.apply(first_is_last, (both, table))
        assert pool.apply(large.identity, (table,)) == {"a": 1}
        assert repr(table) == "<shared dict>"


def first_is_last(both, table):
    return both[0] is both[2] is table


def test_classes_of_main_can_be_shared(tmp_path):
    from tests.faults.helpers import script

    text = """
import numpy as np
from elsewhere import Pool

class Table:
    def __init__(self):
        self.rows = np.arange(100_000)

def look_up(table, index):
    return int(table.rows[index])

def look_up_global(index):
    return int(table.rows[index])

if __name__ == "__main__":
    with Pool(2) as pool:
        table = pool.share(Table())
        assert pool.starmap(look_up, [(table, index) for index in range(100)]) == list(range(100))
        assert pool.map(look_up_global, range(100)) == list(range(100))
        assert pool.apply(Table).rows.sum() == np.arange(100_000).sum()
        item = Table()
        assert pool.apply(look_up, (item, 7)) == 7
        assert pool._driver._freight.store.blocks == 2
    print("done")
"""
    with script(tmp_path, text) as run:
        assert run.line(30) == "done"
        assert run.end() == 0, run.errors()


def test_it_is_forgotten_when_the_handle_is_gone():
    with Pool(1) as pool:
        handle = pool.share(np.ones(SIZE))
        assert pool.apply(large.total, (handle,)) == SIZE
        assert pool.apply(large.kept_tokens) == 1
        del handle
        gc.collect()
        assert pool.apply(large.kept_tokens) == 0
        pool.apply(large.kept_tokens)
        until(lambda: len(store(pool).warm()) == store(pool).blocks, "the block")


def test_a_call_that_is_on_its_way_keeps_what_it_refers_to(tmp_path):
    from tests.contract.work import Gate, hold

    gate = Gate(tmp_path / "gate")
    with Pool(1) as pool:
        first = pool.submit(hold, gate)
        gate.wait_for("came", "call")
        second = pool.submit(large.total, pool.share(np.ones(SIZE)))
        gc.collect()
        pool.submit(large.identity, 1)
        gate.open()
        first.result(30)
        assert second.result(30) == SIZE


def test_a_handle_belongs_to_its_pool():
    with Pool(1) as pool, Pool(1) as other:
        handle = pool.share([1, 2])
        with pytest.raises(ValueError, match="shared with another pool"):
            other.submit(large.identity, handle)
        with pytest.raises(ValueError, match="shared with another pool"):
            other.map(functools.partial(large.use, handle), [1])
        pool.close()
        with pytest.raises(PoolClosed):
            pool.share(1)
        with pytest.raises(PoolClosed):
            pool.submit(large.identity, handle)
        assert other.apply(large.identity, (5,)) == 5
    with pytest.raises(pickle.UnpicklingError, match="shared by"):
        pickle.loads(pickle.dumps(handle).replace(handle._constant.token[-8:].encode(), b"00000000"))


def test_what_cannot_be_pickled_cannot_be_shared():
    with Pool(1) as pool:
        with pytest.raises(TypeError, match="cannot pickle") as caught:
            pool.share(x for x in [])
        assert "the object to share" in caught.value.__notes__[0]


@pytest.mark.parametrize("where", ["threads", "loop", "inline"])
def test_where_nothing_travels_the_handle_is_the_object(where):
    value = [1, 2]
    with Pool(1, where=where) as pool:
        assert pool.share(value) is value
        assert pool.options(timeout=5).share(value) is value


# ---- chaos -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_are_killed_while_arrays_cross():
    """Every result is whole, and what is left is nothing: `conftest` looks."""
    with Pool(2, retry=20) as pool:
        futures = [pool.submit(large.identity, np.full(SIZE, number)) for number in range(200)]
        for number, future in enumerate(futures):
            if number % 10 == 5:
                for pid in pool._driver.workers()[:1]:
                    with contextlib.suppress(ProcessLookupError):  # dead already, and not replaced yet
                        os.kill(pid, signal.SIGKILL)
            result = future.result(30)
            assert (result == number).all()
            futures[number] = None
            del future, result

"""`elsewhere.shared.ndarray` and its kin: what is shared, what is private, and that a pickle is a handle."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from elsewhere import Pool, Value, shared
from elsewhere.runtime.passing import receipts
from elsewhere.shared import block
from tests.require import require
from tests.shared import work

np = require(module="numpy", install="pip install numpy")


def address(array):
    return array.__array_interface__["data"][0]


def test_an_array_is_an_array():
    array = shared.ndarray((3, 4), "f8")
    assert isinstance(array, np.ndarray)
    assert (array.shape, array.dtype, array.flags.c_contiguous, array.flags.writeable) == ((3, 4), "f8", True, True)
    assert not array.any()
    assert shared.zeros(5).shape == (5,)
    assert shared.zeros((2, 3), order="F").flags.f_contiguous
    assert shared.full((2, 2), 7).tolist() == [[7, 7], [7, 7]]
    assert shared.full(2, 1.5).dtype == "f8"
    assert shared.full(2, 7, dtype="u1").dtype == "u1"
    given = np.asfortranarray(np.arange(6).reshape(2, 3))
    copied = shared.copy_of(given)
    assert copied.tolist() == given.tolist()
    assert copied.flags.f_contiguous
    given[0, 0] = 99
    assert copied[0, 0] == 0
    assert shared.copy_of([1, 2, 3]).tolist() == [1, 2, 3]
    assert shared.ndarray.zeros(2).tolist() == shared.ndarray.full(2, 0.0).tolist() == [0, 0]
    assert shared.ndarray.copy_of([1]).tolist() == [1]


@pytest.mark.parametrize("shape", [0, (), (3, 0, 2), (1, 1, 1)])
def test_odd_shapes_travel(shape):
    array = shared.zeros(shape)
    assert pickle.loads(pickle.dumps(array)).shape == array.shape


@pytest.mark.parametrize("dtype", ["?", "i1", ">u8", "c16", "S5", "U3", "M8[ns]", [("x", "i4"), ("y", "f8", (2,))]])
def test_any_dtype_without_objects_is_shared(dtype):
    array = shared.zeros(3, dtype)
    copied = pickle.loads(pickle.dumps(array))
    assert copied.dtype == array.dtype
    array.view("u1")[:] = 1
    assert copied.tobytes() == array.tobytes() == b"\1" * array.nbytes


def test_objects_are_refused():
    with pytest.raises(TypeError, match="Python objects, which cannot be shared"):
        shared.zeros(3, object)
    with pytest.raises(TypeError, match="Python objects"):
        shared.copy_of([{}, None])


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match="negative dimensions"):
        shared.zeros((2, -1))
    with pytest.raises(TypeError, match="a shape is an integer or a tuple of integers"):
        shared.zeros("ab")
    with pytest.raises(TypeError, match="a shape is an integer"):
        shared.zeros((2.5, 1))


def test_small_ones_are_counted_together(monkeypatch):
    asked = []
    monkeypatch.setattr(block, "_unasked", 0)
    monkeypatch.setattr(block.headroom, "require", asked.append)
    kept = [shared.zeros(8192) for _ in range(40)]
    assert asked == [1 << 20, 1 << 20]
    kept.append(shared.zeros(1 << 20))
    assert asked[2:] == [(8 << 16) + (8 << 20)]


def test_too_much_is_refused_with_the_sizes():
    with pytest.raises(MemoryError, match=r"block of [\d,]+ bytes of shared memory does not fit: [\d,]+ bytes"):
        shared.zeros(1 << 50, "u1")


VIEWS = {
    "slice": lambda a: a[3:7, 2:],
    "negative step": lambda a: a[::-2, ::-1],
    "transpose": lambda a: a.T,
    "reshape": lambda a: a.reshape(5, 20),
    "ravel": lambda a: a.ravel(),
    "new axis": lambda a: a[:, None],
    "other type": lambda a: a.view("i8"),
    "part": lambda a: a.view("c16").real,
    "one row": lambda a: a[4],
    "diagonal": lambda a: np.lib.stride_tricks.as_strided(a, (10,), (88,), subok=True),
    "split": lambda a: np.split(a, 2)[1],
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_shared_and_arrives_as_a_view(view):
    array = shared.copy_of(np.arange(100.0).reshape(10, 10))
    part = VIEWS[view](array)
    assert type(part) is shared.ndarray
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        arrived = pickle.loads(pickle.dumps(part, protocol))
        assert type(arrived) is shared.ndarray
        assert (arrived.strides, arrived.dtype, arrived.tolist()) == (part.strides, part.dtype, part.tolist())
        assert address(arrived) == address(part)  # the memory is mapped once in a process


PRIVATE = {
    "arithmetic": lambda a: a + 1,
    "comparison": lambda a: a > 1,
    "fancy": lambda a: a[[1, 2]],
    "mask": lambda a: a[a > 1],
    "copy": lambda a: a.copy(),
    "copy.copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "astype": lambda a: a.astype("f4"),
    "sum": lambda a: a.sum(axis=0),
    "take": lambda a: a.take([0, 1]),
    "concatenate": lambda a: np.concatenate([a, a]),
    "where": lambda a: np.where(a > 1, a, a),
    "empty_like": np.empty_like,
    "sort": np.sort,
    "flatten": lambda a: a.flatten(),
    "matmul": lambda a: a @ a,
    "repeat": lambda a: a.repeat(2),
    "reshape": lambda a: a.T.reshape(-1),
    "max": lambda a: a.max(axis=0),
    "cumsum": lambda a: a.cumsum(),
    "parts": lambda a: np.array_split(a + 1, 2)[0],
}


@pytest.mark.parametrize("make", PRIVATE)
def test_what_is_computed_is_an_ordinary_array(make):
    array = shared.copy_of(np.arange(16.0).reshape(4, 4))
    result = PRIVATE[make](array)
    assert type(result) is np.ndarray
    assert not np.may_share_memory(result, array)
    assert len(pickle.dumps(result)) > result.nbytes


def test_scalars_are_scalars_and_in_place_stays():
    array = shared.copy_of([1.0, 2.0])
    same = array
    same += 1
    assert same is array
    assert np.add(array, 1, out=array) is array
    assert array.tolist() == [3, 4]
    assert type(array.sum()) is type(array[0]) is np.float64


def test_read_only_stays_read_only():
    array = shared.zeros(4)
    view = array[1:]
    view.flags.writeable = False
    arrived = pickle.loads(pickle.dumps(view))
    assert not arrived.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        arrived[0] = 1
    with pytest.raises(ValueError, match=r"(?i)writ"):
        arrived.setflags(write=True)
    array[1] = 5
    assert arrived[0] == 5
    again = pickle.loads(pickle.dumps(arrived))
    assert again[0] == 5
    assert not again.flags.writeable
    assert pickle.loads(pickle.dumps(array)).flags.writeable


@pytest.mark.parametrize("method", [*work.METHODS, "fork"])
def test_a_worker_has_the_same_memory_and_sends_it_back(method):
    array = shared.zeros((1000, 1000))  # far beyond what is copied to blocks
    with Pool(2, context=method) as pool:
        back = pool.apply(work.set_first, (array, 3.0))
        assert array[0].tolist() == [3.0] * 1000
        assert address(back) == address(array)
        assert type(back) is shared.ndarray
        here, there = work.facts(array), pool.apply(work.facts, (array,))
        assert there["pid"] != here["pid"]
        assert (there["inode"], there["kind"], there["descriptors"]) == (here["inode"], here["kind"], 1)
        nested = pool.apply(work.identity, ({"a": [array[5:, ::2], (array,)]},))["a"]
        assert address(nested[0]) == address(array[5:])
        assert nested[0].strides == array[5:, ::2].strides
        assert address(nested[1][0]) == address(array)
        assert pool.apply(work.total, (array,), {}) == 3000.0
        assert pool.starmap(work.total, [(array, array[:1])] * 20) == [6000.0] * 20
        assert pool.map(lambda k: float(array[k, 0]), range(2)) == [3.0, 0.0]  # by value, in a closure
    assert len(work.descriptors(work.token_of(array))) == 1
    receipts.forget()


@pytest.mark.parametrize("method", work.METHODS)
def test_nobody_needs_to_keep_what_is_on_its_way(method):
    with Pool(2, context=method) as pool:
        futures = [pool.submit(work.total, shared.full(1000, float(k))) for k in range(20)]
        assert [future.result() for future in futures] == [1000.0 * k for k in range(20)]
        made = pool.starmap(work.make, [(1000, float(k)) for k in range(20)])
        assert [array[0] for array in made] == list(range(20))
        tokens = list(map(work.token_of, made))
        receipts.forget()
        del made, futures
        work.until(lambda: not any(map(work.users, tokens)))  # also in the workers that made them, which live
    with Pool(1, maxtasksperchild=1, context=method) as pool:  # each result comes from a worker that leaves at once
        for k, array in enumerate(pool.starmap(work.make, [(9, float(k)) for k in range(4)], chunksize=1)):
            assert array.tolist() == [k] * 9


@pytest.mark.parametrize("method", ["fork", *work.METHODS])
def test_multiprocessings_processes_take_them(method):
    array = shared.zeros(10)
    process = multiprocessing.get_context(method).Process(target=work.set_first, args=(array[5:], 4))
    process.start()
    process.join()
    assert array.tolist() == [0] * 5 + [4] + [0] * 4


def test_a_forked_copy_sees_the_same_memory_and_can_send_it_on():
    array = shared.zeros(3)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            array[0] = 1
            os.write(write, pickle.dumps(array))
            os.read(read, 0)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert array.tolist() == [1, 0, 0]
    handle = os.read(read, 65536)
    assert address(pickle.loads(handle)) == address(array)  # the child is gone, but we have it
    os.close(read)
    os.close(write)


def test_memory_goes_with_the_last_view_and_not_before():
    array = shared.zeros((100, 100))
    token = work.token_of(array)
    copies = [pickle.loads(pickle.dumps(array[k:])) for k in range(5)]
    assert len(work.descriptors(token)) == 1
    plain = np.asarray(array)[50:]
    last = copies.pop()[2:]
    del array, copies
    assert work.users(token) == [os.getpid()]
    last[:] = 7
    assert plain[0].tolist() == [7] * 100
    del last, plain
    gc.collect()
    assert work.users(token) == []
    assert token not in block._known


def test_what_is_pickled_and_never_opened_goes_when_memory_is_short():
    array = shared.zeros(100_000)
    token = work.token_of(array)
    body = pickle.dumps(array)
    del array
    assert work.users(token) == [os.getpid()]  # or the handle would be worth nothing
    with pytest.raises(MemoryError):
        shared.zeros(1 << 50, "u1")
    work.until(lambda: work.users(token) == [])
    with pytest.raises(FileNotFoundError, match="shared memory is gone"):
        pickle.loads(body)


def test_a_pickle_that_was_thrown_away_keeps_memory_for_a_while_only(monkeypatch):
    monkeypatch.setattr(receipts, "GRACE", 0.05)
    array = shared.zeros(1000)
    token = work.token_of(array)
    pickle.dumps(array)
    with Pool(1) as pool:
        pool.apply(work.total, (array,))
        receipts.settle()
        assert len(receipts._waiting) == 1
        del array
    work.until(lambda: work.users(token) == [])


def test_nobody_waits_at_the_end_for_what_was_thrown_away_or_is_old():
    array = shared.zeros(1000)
    first, second = pickle.dumps(array), pickle.dumps(array)
    receipts.wait(0.0)  # long ago
    pickle.loads(second)
    receipts.wait(1e6)  # the first was thrown away, it seems
    assert receipts._pipe is not None
    pickle.loads(first)
    assert receipts._pipe is None


def test_many_threads_send_and_drop_at_once():
    def work_hard(seed):
        for k in range(150):
            array = shared.full(10, seed * 1000 + k)
            arrived = pickle.loads(pickle.dumps(array[1:]))
            del array
            assert arrived.tolist() == [seed * 1000 + k] * 9
            bodies.append(pickle.dumps(arrived))
            del arrived
            taken = bodies.pop()  # mostly another thread's
            assert len(set(pickle.loads(taken).tolist())) == 1

    bodies: list[bytes] = []
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work_hard, range(4)))
    gc.collect()
    work.until(lambda: receipts._pipe is None)


def test_what_is_collected_in_the_middle_may_send_as_well():
    class Sender:
        def __del__(self):
            array = shared.zeros(3)
            kept.append((pickle.loads(pickle.dumps(array)).tolist(), Value("i", 4).value))

    kept: list[object] = []
    threshold = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for _ in range(200):
            cycle: list[object] = [Sender()]
            cycle.append(cycle)
            del cycle
            pickle.loads(pickle.dumps(shared.zeros(2)))
            pickle.loads(pickle.dumps(Value("i", 3)))
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert kept == [([0.0] * 3, 4)] * 200


def test_a_system_without_such_memory_says_so(monkeypatch):
    monkeypatch.setattr(block, "SEALS", 0)
    with pytest.raises(OSError, match="needs Linux"):
        shared.zeros(3)


def test_shared_objects_initializers_and_retries_have_it():
    array = shared.zeros(4)
    with Pool(2, initializer=work.set_first, initargs=(array, 2.0)) as pool:
        handle = pool.share({"array": array})
        assert pool.map(work.first_of, [handle] * 20) == [2.0] * 20
        again = pool.options(retry=2).submit(work.fail_first, array)
        assert again.result() == 3.0
    array[0] = 1
    assert pickle.loads(pickle.dumps(array))[0] == 1


def test_very_many_that_are_never_opened_are_given_up_the_oldest_first(monkeypatch):
    monkeypatch.setattr(receipts, "limit", lambda: 32)
    monkeypatch.setattr(receipts, "_crowded", 16)
    bodies = [pickle.dumps(shared.zeros(1)) for _ in range(50)]
    assert len(receipts._waiting) <= 36
    with pytest.raises(FileNotFoundError):
        pickle.loads(bodies[0])
    assert pickle.loads(bodies[-1]).tolist() == [0]
    receipts.forget()


def test_very_many_on_their_way_are_waited_for(monkeypatch):
    monkeypatch.setattr(receipts, "limit", lambda: 32)
    monkeypatch.setattr(receipts, "_crowded", 16)
    with Pool(1) as pool:
        futures = [pool.submit(work.total, shared.full(10, float(k))) for k in range(200)]
        assert [future.result() for future in futures] == [10.0 * k for k in range(200)]
        array = shared.zeros(3)
        assert pool.map(work.total, [array] * 200) == [0.0] * 200  # many tickets, one descriptor: nobody waits
    assert pickle.loads(pickle.dumps(array)).tolist() == [0] * 3


def test_it_cannot_be_resized():
    array = shared.zeros(10)
    fd = array.__reduce_ex__(5)[1][0].descriptor.fd
    for size in (0, 1 << 20):
        with pytest.raises(PermissionError):
            os.ftruncate(fd, size)
    assert os.get_inheritable(fd) is False


def test_without_numpy_a_sentence_says_what_to_install():
    code = "import sys; sys.modules['numpy'] = None; import elsewhere; elsewhere.shared.zeros(3)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "pip install 'elsewhere[numpy]'" in run.stderr.splitlines()[-1]

"""`Value Array RawValue RawArray`: multiprocessing's types and behaviour, passable anywhere."""

from __future__ import annotations

import copyreg
import ctypes
import gc
import multiprocessing
import multiprocessing.sharedctypes as standard
import os
import pickle

import pytest

import elsewhere
from elsewhere import Array, Pool, RawArray, RawValue, Value
from elsewhere.runtime.passing import receipts
from elsewhere.shared import pieces
from tests.shared import work
from tests.shared.work import Program

CODES = {
    "c": (b"x", b"y"), "u": ("x", "ü"), "b": (-100, 127), "B": (0, 255), "h": (-30000, 30000), "H": (1, 65535),
    "i": (-(2**31), 2**31 - 1), "I": (1, 2**32 - 1), "l": (-(2**63), 5), "L": (1, 2**64 - 1), "q": (-(2**63), 7),
    "Q": (1, 2**64 - 1), "f": (0.5, -0.25), "d": (1 / 3, -1e300),
}  # fmt: skip


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double)]


def set_value(value, new):
    value.value = new


def move(point, points):
    point.x += 1
    points[1].y = 2.5


def set_string(string):
    string.value *= 2


def test_every_type_code_is_there():
    assert set(CODES) == set("cubBhHiIlLqQfd")


@pytest.fixture(params=work.METHODS)
def pool(request):
    with Pool(1, context=request.param) as pool:
        yield pool


def test_each_type_code_is_shared_with_a_worker(pool):
    for code, (before, after) in CODES.items():
        for value in (Value(code, before), RawValue(code, before), Value(standard.typecode_to_type[code], before)):
            assert value.value == before
            pool.apply(set_value, (value, after))
            assert value.value == after
        array = Array(code, [before, after, before])
        assert list(array) == [before, after, before]
        back = pool.apply(work.set_first, (array, after))
        assert array[0] == after
        back[1] = before
        assert array[1] == before


@pytest.mark.parametrize("make", [Array, RawArray])
def test_arrays_are_negated_in_a_worker_and_in_a_process(pool, make):
    for code in "hilqfd":
        array = make(code, range(10))
        pool.apply(work.negate, (array,))
        assert array[:] == [-k for k in range(10)]
    process = multiprocessing.get_context("forkserver").Process(target=work.negate, args=(array,))
    process.start()
    process.join()
    assert array[:] == list(range(10))


def test_types_are_multiprocessings():
    assert type(RawValue("i", 3)) is ctypes.c_int
    assert type(RawArray("i", 3)) is ctypes.c_int * 3
    assert isinstance(Value("i", 3), standard.Synchronized)
    assert isinstance(Array("i", 3), standard.SynchronizedArray)
    assert isinstance(Array("c", 3), standard.SynchronizedString)
    assert isinstance(Value(Point), standard.SynchronizedBase)
    assert repr(Value("i", 3)) == "<Synchronized wrapper for c_int(3)>"
    assert type(Value("i")).__name__ == "Synchronized"
    value = pickle.loads(pickle.dumps(Value(Point, 1, 2.0)))
    assert type(value).__name__ == "SynchronizedPoint"
    assert (value.x, value.y) == (1, 2.0)


def test_structures_and_strings(pool):
    point, points, string = Value(Point, 1, 1.0), Array(Point, [(1, 1.0), (2, 2.0)]), Array("c", 20)
    string.value = b"hello"
    pool.apply(move, (point, points))
    pool.apply(set_string, (string,))
    assert (point.x, points[1].y, string.value, string.raw[10:]) == (2, 2.5, b"hellohello", bytes(10))


def test_locks_as_multiprocessing_has_them():
    value = Value("i", 5)
    assert value.get_obj().value == 5
    assert value.get_lock().acquire()
    value.get_lock().release()
    lock = multiprocessing.RLock()
    assert Value("i", 5, lock=lock).get_lock() is lock
    assert hasattr(Array("i", 5, lock=None), "get_lock")
    for bare in (Value("i", 5, lock=False), Array("i", 5, lock=False), RawValue("i"), RawArray("i", 1)):
        assert not hasattr(bare, "get_lock")
    for make in (Value, Array):
        with pytest.raises(AttributeError, match="has no method 'acquire'"):
            make("i", 5, lock="not a lock")


def test_a_lock_of_multiprocessing_travels_when_a_process_is_started_only():
    value = Value("i", 5, lock=multiprocessing.get_context("forkserver").RLock())
    with pytest.raises(RuntimeError, match="inheritance"):
        pickle.dumps(value.get_lock())
    process = multiprocessing.get_context("forkserver").Process(target=work.count, args=(value, 3))
    process.start()
    process.join()
    assert value.value == 8


@pytest.mark.parametrize("bad", ["z", "ii", "", 3, int, None, [], object()])
def test_no_type_is_a_clear_error(bad):
    with pytest.raises(TypeError, match="no type of shared data"):
        Value(bad)
    with pytest.raises(TypeError, match="no type of shared data"):
        RawArray(bad, 3)


def test_bad_values_are_refused():
    with pytest.raises(TypeError):
        Value("i", "text")
    with pytest.raises(TypeError):
        Array("d", ["text"])
    with pytest.raises(ValueError, match="cannot have -1 elements"):
        RawArray("i", -1)
    with pytest.raises(TypeError):
        RawArray("i", 2.5)
    with pytest.raises(MemoryError, match="does not fit"):
        RawArray("d", 1 << 45)


def test_empty_and_large_arrays(pool):
    assert len(pickle.loads(pickle.dumps(Array("i", 0)))) == 0
    large = RawArray("d", 100_000)
    pool.apply(work.set_first, (large, 4.0))
    assert large[0] == 4.0
    assert large._wrapper.block.size == 802_816
    with memoryview(large) as view:
        assert view.nbytes == 800_000


def test_no_two_have_the_same_place_while_anybody_may_look(pool):
    values = [RawValue("i", k) for k in range(10_000)]
    assert [value.value for value in values] == list(range(10_000))
    blocks = {value._wrapper.block.token for value in values}
    assert len(blocks) == 3
    kept = pickle.loads(pickle.dumps(values[0]))
    del values
    others = [RawValue("i", 7) for _ in range(10_000)]
    assert kept.value == 0
    assert others[0].value == 7
    del kept, others
    gc.collect()
    assert not any(map(work.users, blocks))


def test_a_forked_copy_makes_its_own():
    mine = Value("i", 1)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            theirs = RawValue("i", 2)
            mine.value += 10
            os.write(write, f"{theirs._wrapper.block.token} {theirs.value}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100).decode().split() != [mine._obj._wrapper.block.token, "2"]
    later = RawValue("i", 3)
    assert (mine.value, later.value) == (11, 3)
    assert pieces._block() is mine._obj._wrapper.block is later._wrapper.block
    os.close(read)
    os.close(write)


def test_nobody_needs_to_keep_what_is_on_its_way(pool):
    futures = [pool.submit(work.identity, Value("q", k)) for k in range(50)]
    assert [future.result().value for future in futures] == list(range(50))
    assert [value.value for value in pool.map(work.make_value, range(50))] == list(range(50))
    del futures
    work.until(lambda: receipts.settle() or not receipts._waiting)


@pytest.mark.parametrize("method", ["fork", *work.METHODS])
def test_values_are_counted_up_exactly_by_workers_and_processes_at_once(method):
    value, context = Value("q", 0), multiprocessing.get_context(method)
    processes = [context.Process(target=work.count, args=(value, 500)) for _ in range(2)]
    with Pool(2, context=method) as pool:
        for process in processes:
            process.start()
        results = [pool.apply_async(work.count, (value, 250)) for _ in range(4)]
        work.count(value, 500)
        for result in results:
            result.get(60)
        for process in processes:
            process.join()
    assert value.value == 2500


def test_through_multiprocessings_queue_and_pool():
    source = """
import multiprocessing
from tests.shared import work
from elsewhere import Value, Array
value, array = Value("i", 1), Array("i", 3)
context = multiprocessing.get_context("forkserver")
with context.Pool(1) as pool:
    pool.apply(work.count, (value, 4))
    pool.apply(work.set_first, (array, 5))
    pool.apply(work.set_first, (array.get_obj(), array[0] + 1))
multiprocessing.Value("i", 1)  # theirs registers its own way of pickling the type
queue = context.SimpleQueue()
queue.put((value, Value("i", 3)))
same, other = queue.get()
same.value += 1
say([value.value, array[0], other.value])
hear()
"""
    with Program(source) as program:
        assert program.hear() == [6, 6, 3]
        program.say()
        program.process.wait()


def test_what_is_not_ours_is_pickled_as_ever():
    RawValue("i", 3)
    assert ctypes.c_int in copyreg.dispatch_table
    plain = ctypes.c_int(5)
    copied = pickle.loads(pickle.dumps(plain))
    copied.value = 6
    assert plain.value == 5
    source = """
import multiprocessing
from tests.shared import work
from elsewhere import RawValue
context = multiprocessing.get_context("spawn")
theirs = context.Value("i", 5), context.RawValue("i", 5), context.Array("i", 3)
RawValue("i", 3)  # ours registers its own way of pickling the type
process = context.Process(target=work.set_first, args=(theirs[2], 9)); process.start(); process.join()
process = context.Process(target=work.count, args=(theirs[0], 4)); process.start(); process.join()
said = []
for value in theirs:
    try:
        pickle.dumps(value)
    except RuntimeError as error:
        said.append("inheritance" in str(error))
say([theirs[2][0], theirs[0].value, said])
hear()
"""
    with Program(source) as program:
        assert program.hear() == [9, 9, [True, True, True]]
        program.say()
        program.process.wait()


def test_unrelated_programs_count_up_one_value(tmp_path):
    path = tmp_path / "handle"
    value = Value("q", 0)
    work.store(value, path)
    source = "from tests.shared import work; value = load(sys.argv[1]); say(); hear(); work.count(value, 2000); say()"
    with Program(source, path) as one, Program(source, path) as two:
        assert (one.hear(), two.hear()) == (None, None)
        one.say()
        two.say()
        work.count(value, 2000)
        assert (one.hear(), two.hear()) == (None, None)
    assert value.value == 6000


def test_the_names_are_elsewheres():
    assert elsewhere.shared.Value is elsewhere.Value
    assert {"Array", "RawArray", "RawValue", "Value", "shared"} <= set(elsewhere.__all__)
    assert dir(elsewhere.shared)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = elsewhere.shared.nothing

"""dict, list, Namespace, Value, Array: multiprocessing's behaviour, and what is added to it."""

from __future__ import annotations

import copy
import multiprocessing.managers
import pickle
import sys
import threading

import pytest

from elsewhere import Pool
from elsewhere.shared.managers import BaseManager, Manager, SyncManager

from .work import Box, count, identity


def test_a_dict_behaves_as_a_dict(manager):
    d = manager.dict({"a": 1}, b=2)
    d["c"] = [3]
    assert (d["a"], d.get("z"), d.get("z", 9), len(d), "b" in d) == (1, None, 9, 3, True)
    assert d.copy() == {"a": 1, "b": 2, "c": [3]} == copy.deepcopy(d)
    assert list(d) == list(d.keys()) == ["a", "b", "c"]
    assert sorted(d.items(), key=str) == [("a", 1), ("b", 2), ("c", [3])]
    assert list(d.values()) == [1, 2, [3]]
    assert d.pop("a") == 1
    assert d.setdefault("e", 5) == 5
    d.update(f=6)
    del d["f"]
    assert str(d) == "{'b': 2, 'c': [3], 'e': 5}"
    assert d.popitem() == ("e", 5)
    d.clear()
    assert not len(d)
    with pytest.raises(KeyError, match="nothing"):
        d["nothing"]
    d.update(a=1, b=2)
    keys = iter(pickle.loads(pickle.dumps(d)))
    assert next(keys) == "a"
    d["c"] = 3
    with pytest.raises(RuntimeError, match="changed size"):
        next(keys)


def test_what_is_read_is_a_copy(manager):
    d = manager.dict(a=[1])
    d["a"].append(2)
    assert d["a"] == [1]


def test_a_list_behaves_as_a_list(manager):
    numbers = manager.list([3, 1, 2])
    numbers.append(4)
    numbers.sort()
    numbers += [5]
    assert numbers[:] == [1, 2, 3, 4, 5]
    assert numbers[-1] == 5
    assert numbers + [6] == [1, 2, 3, 4, 5, 6]
    assert len(numbers) == 5
    assert str(numbers) == "[1, 2, 3, 4, 5]"
    with pytest.raises(IndexError):
        numbers[10]
    with pytest.raises(ValueError):
        numbers.remove("x")


def test_namespace_value_and_array(manager):
    space = manager.Namespace(x=1)
    space.y = [2]
    del space.x
    assert str(space) == "Namespace(y=[2])"
    with pytest.raises(AttributeError):
        _ = space.x
    value = manager.Value("i", 7)
    value.value += 1
    assert (value.value, value.get(), str(value)) == (8, 8, "Value('i', 8)")
    array = manager.Array("i", range(4))
    array[1] = 9
    assert (array[:].tolist(), len(array)) == ([0, 9, 2, 3], 4)


def test_proxies_are_multiprocessings(manager):
    theirs = multiprocessing.managers
    assert isinstance(manager, theirs.SyncManager)
    assert isinstance(manager.dict(), theirs.DictProxy)
    assert isinstance(manager.list(), theirs.ListProxy)
    assert isinstance(manager.Lock(), theirs.BaseProxy)


def test_nested_proxies_keep_what_they_name_alive(manager):
    outer, inner = manager.dict(), manager.list([1])
    outer["inner"] = inner
    del inner
    outer["inner"].append(2)
    assert outer["inner"][:] == [1, 2]
    assert manager._number_of_objects() == 2
    popped = outer.pop("inner")
    assert popped[:] == [1, 2]
    assert manager._number_of_objects() == 2
    del popped
    assert manager._number_of_objects() == 1
    assert "refcount=1" in manager._debug_info()


def test_a_pickle_on_its_way_keeps_the_object(manager):
    body = pickle.dumps(manager.list([1, 2]))
    assert manager._number_of_objects() == 1
    found = pickle.loads(body)
    assert found[:] == [1, 2]
    del found
    assert manager._number_of_objects() == 0


def test_the_key_is_in_no_pickle(manager):
    d = manager.dict()
    body = pickle.dumps(d)
    assert bytes(manager._authkey) not in body
    assert pickle.loads(body)._id == d._id


def test_increment_counts_them_all(manager):
    d = manager.dict()
    with Pool(2) as pool:
        results = pool.starmap(count, [(d, 200)] * 4)
    assert d["n"] == 800
    assert [found["n"] for found in results] == [800] * 4
    assert d.increment("n", by=-1.5) == 798.5
    d["text"] = "a"
    with pytest.raises(TypeError):
        d.increment("text")
    assert d["text"] == "a"


def test_compare_and_set(manager):
    d = manager.dict(a=1)
    assert d.compare_and_set("a", 1, 2)
    assert not d.compare_and_set("a", 1, 3)
    assert not d.compare_and_set("missing", None, 3)
    assert d.copy() == {"a": 2}


def test_compare_and_set_lets_one_of_many_win(manager):
    d = manager.dict(turn=0)
    won = []
    threads = [threading.Thread(target=lambda: won.append(d.compare_and_set("turn", 0, 1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_get_many_and_update_with(manager):
    d = manager.dict(a=1, b=2)
    assert d.get_many(["a", "z", "b"]) == {"a": 1, "b": 2}
    assert d.get_many(iter(())) == {}
    factor = 10
    assert d.update_with("a", lambda value: value * factor) == 10
    assert d.update_with("new", lambda value: [*value, 1], []) == [1]
    with pytest.raises(KeyError):
        d.update_with("nothing", abs)
    with pytest.raises(ZeroDivisionError):
        d.update_with("b", lambda value: value / 0)
    with pytest.raises(SystemExit):
        d.update_with("b", lambda value: sys.exit(3))
    assert d.copy() == {"a": 10, "b": 2, "new": [1]}


def test_a_value_that_cannot_be_pickled_is_an_error_and_nothing_else(manager):
    d = manager.dict(a=1)
    with pytest.raises(TypeError):
        d["b"] = threading.Lock()
    with pytest.raises(multiprocessing.managers.RemoteError, match="Unserializable"):
        d.update_with("a", lambda value: (i for i in ()))
    with pytest.raises(multiprocessing.managers.RemoteError, match="exposed"):
        d._callmethod("__class__")
    d["a"] = 2
    assert d["a"] == 2


def test_large_values_cross(manager):
    d = manager.dict()
    d["large"] = b"x" * 20_000_000
    assert len(d["large"]) == 20_000_000


class Boxes(BaseManager):
    pass


Boxes.register("Box", Box)
Boxes.register("numbers", lambda: iter([1, 2]), exposed=("__next__",))


@pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
def test_registered_classes_and_callables(method):
    with Boxes(ctx=method) as manager:
        box = manager.Box([5])
        assert box.get() == [5]
        with pytest.raises(LookupError, match="of the box") as caught:
            box.fail()
        assert "in fail" in str(caught.value.__cause__)
        assert not hasattr(box, "missing")
        numbers = manager.numbers()
        assert (numbers.__next__(), numbers.__next__()) == (1, 2)
        with pytest.raises(StopIteration):
            numbers.__next__()


def test_a_pool_of_the_manager(manager):
    pool = manager.Pool(2)
    assert pool.map(abs, [-1, -2]) == [1, 2]
    assert pool.apply_async(abs, (-3,)).get() == 3
    assert list(pool.imap(identity, [4])) == [4]
    pool.terminate()


def test_what_start_is_told_is_told_back():
    def broken():
        raise LookupError("in the initializer")

    with pytest.raises(LookupError, match="in the initializer"):
        SyncManager().start(broken)
    with pytest.raises(TypeError, match="callable"):
        SyncManager().start(1)
    manager = Manager()
    with pytest.raises(multiprocessing.ProcessError, match="Already"):
        manager.start()
    manager.shutdown()
    assert manager._process.exitcode == 0
    with pytest.raises(multiprocessing.ProcessError, match="shut down"):
        manager.start()
    manager.join()

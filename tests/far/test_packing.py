"""What packs here opens there as the same value; what cannot travel says so where it was passed."""

import collections
import copyreg
import datetime as dt
import decimal
import functools
import gc
import multiprocessing
import operator
import pickle
import queue
import re
import sys
import threading
import types
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elsewhere
from elsewhere.runtime.far.packing import Body, Constant, Packer
from elsewhere.runtime.far.packing import packer as packer_module
from tests.contract import work
from tests.far.packed import Sent
from tests.far.things import Colour, Point


@pytest.fixture(scope="module")
def sent():
    with Sent() as worker:
        yield worker


def packed(value, packer=None, kind="value"):
    return (packer or Packer(sources=False)).item(value, lambda: "item 3 of map(f, ...)", kind)


ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.sampled_from([Colour.RED, Colour.BLUE, len, operator.add, dict, Point, Colour]),
    st.decimals(allow_nan=False),
    st.datetimes(),
    st.fractions(),
    st.uuids(),
    st.just("__main__"),
    st.just("elsewhere_far"),
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
        st.builds(Point, inner, inner),
        st.builds(lambda x: collections.deque([x]), inner),
        st.builds(lambda x: functools.partial(operator.add, x), st.integers()).map(lambda p: p.args),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=40)
@given(VALUES)
def test_what_packs_here_opens_there_as_the_same_value(sent, value):
    def pair(given):
        return given, repr(type(given))

    assert sent.called(pair, value) == (value, repr(type(value)))


@settings(deadline=None, max_examples=30)
@given(st.recursive(st.integers(), lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=6))
def test_what_a_function_captured_is_the_same_there(sent, value):
    def adder(more):
        return lambda: [value, more, factory()]

    def factory():
        return value

    assert sent.called(adder(7)) == [value, 7, value]


def test_arrays_arrive_equal(sent):
    for array in (np.arange(12.0).reshape(3, 4)[:, ::2], np.zeros((0, 3)), np.array(["a", "bc"]), np.float32(2.5)):
        back = sent.called(operator.itemgetter(0), [array])
        assert np.array_equal(back, array)
        assert back.dtype == array.dtype
    assert sent.called(bytes, memoryview(b"abcdef")[1:4]) == b"bcd"


def test_a_large_array_is_copied_once():
    import tracemalloc

    array = np.zeros(1 << 24, np.uint8)
    packer = Packer(sources=True)
    packed(array[:1000], packer)
    tracemalloc.start()
    try:
        body = packed(array, packer)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(body.data) < len(array) + 1000
    assert body.source is body.data
    assert peak < 1.7 * len(array)  # pickle's buffer may grow by half of itself


def test_exceptions_need_nothing_there_that_others_register_here(monkeypatch):
    """As `distributed` does for all exceptions, with tblib's reducers."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "tblib"]:
        monkeypatch.delitem(sys.modules, name)
    tblib = types.ModuleType("tblib")

    def pickle_exception(error):
        return unpickle_exception, (error.args,)

    def unpickle_exception(args):
        raise AssertionError

    for function in (pickle_exception, unpickle_exception):
        function.__module__, function.__qualname__ = "tblib", function.__name__
        setattr(tblib, function.__name__, function)
    monkeypatch.setitem(sys.modules, "tblib", tblib)
    monkeypatch.setitem(copyreg.dispatch_table, LookupError, pickle_exception)
    monkeypatch.setitem(copyreg.dispatch_table, OSError, functools.partial(pickle_exception))
    assert b"tblib" in pickle.dumps(LookupError(1))
    for error in (LookupError(1), OSError(2, "words")):
        body = packed([error])
        assert b"tblib" not in body.data
        (back,) = pickle.loads(body.data)
        assert (type(back), back.args) == (type(error), error.args)


# ---- bodies ----------------------------------------------------------------------------------------------------------


def test_what_has_no_code_by_value_is_the_same_for_every_python():
    packer = Packer(sources=True)
    for body in (packer.function(work.add), packer.function(len), packed([1, {"a": Point(2)}], packer)):
        assert body.source is body.data
        assert body.refusal == ""
        assert body.constants == ()


def test_a_function_that_goes_by_name_is_packed_once_while_it_has_that_name(monkeypatch):
    packer = Packer(sources=True)
    first = packer.function(work.add)
    assert packer.function(work.add) is first
    was = work.add

    def add(a, b):
        return a * b

    add.__module__, add.__qualname__ = work.__name__, "add"
    monkeypatch.setattr(work, "add", add)
    assert packer.function(was).data != first.data  # the name is another function now
    assert packer.function(add).data == first.data


def test_bodies_are_equal_if_their_bytes_are():
    packer = Packer(sources=True)
    one, other = packer.function(functools.partial(work.add, 1)), packer.function(functools.partial(work.add, 1))
    assert one == other
    assert hash(one) == hash(other)
    assert one != packer.function(functools.partial(work.add, 2))


def test_a_lambda_is_refused_to_other_pythons_in_one_sentence():
    body = Packer(sources=True).function(lambda x: x + 1)
    assert body.source is None
    assert body.refusal == "a lambda has no name to find its source by: make it a function of a module"
    assert Packer(sources=False).function(lambda x: x + 1).source is None


def test_a_function_that_uses_nothing_of_its_module_does_not_need_it_there():
    packer = Packer(sources=False)
    with Sent(packer=packer) as sent:
        assert sent.called(lambda x: x + len("ab"), 3) == 5
        assert sent.called(lambda: __name__) == __name__
        assert sent.asked == []


def test_a_large_function_is_warned_of(sent):
    table = list(range(600_000))

    def uses(x):
        return table[x]

    with pytest.warns(UserWarning, match="MB along to every worker"):
        sent.packer.function(uses)


# ---- what cannot travel ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            [1, threading.Lock()],
            r"item 3 of map\(f, .*\) cannot be pickled: \[1\] is a _thread.lock; make it in the pool's `initializer`$",
        ),
        ({"q": queue.Queue()}, r"\['q'\] is a queue.Queue; return results$"),
        ((n for n in [1]), "it is a generator; pass a list"),
    ],
)
def test_an_error_names_the_part_and_the_cure(value, words):
    with pytest.raises(TypeError) as caught:
        packed(value)
    assert any(re.search(words, note) for note in caught.value.__notes__), caught.value.__notes__


def test_an_error_names_the_argument():
    with pytest.raises(TypeError) as caught:
        packed(((1,), {"lock": threading.Lock()}), kind="call")
    assert "argument lock= is a _thread.lock" in caught.value.__notes__[0]


def test_what_belongs_to_this_machine_is_refused():
    one, other = elsewhere.Pipe()
    plain, end = multiprocessing.Pipe()
    with one, other, plain, end:
        for local in (elsewhere.SimpleQueue(), elsewhere.Lock(), one, plain, elsewhere.Array("i", 3)):
            with pytest.raises((TypeError, RuntimeError)) as caught:
                packed([local])
            assert "item 3 of map(f, ...)" in str(caught.value) + "".join(getattr(caught.value, "__notes__", [])), local


# ---- shared objects --------------------------------------------------------------------------------------------------


def test_a_shared_object_is_sent_once_and_is_one_object(sent):
    def same(one, other):
        return one is other, one["k"]

    def later(one):
        return one["k"] + 1

    handle = sent.packer.share({"k": 7})
    before = len(sent.tokens)
    assert sent.called(same, handle, handle) == (True, 7)
    assert sent.called(later, handle) == 8
    assert sent.called(lambda: handle["k"]) == 7
    assert len(sent.tokens) == before + 1
    assert repr(handle) == "<shared dict>"


def test_a_shared_object_may_hold_another(sent):
    inner = sent.packer.share([1, 2])
    outer = sent.packer.share({"inner": inner})
    assert sent.called(lambda held: held["inner"], outer) == [1, 2]


def test_a_shared_object_belongs_to_its_pool(sent):
    handle = Packer(sources=True).share([1])
    with pytest.raises(ValueError, match="<shared list> was shared with another pool"):
        sent.packer.item([handle], lambda: "it")
    with pytest.raises(ValueError, match="was shared with another pool"):
        sent.packer.function(lambda: handle)
    with elsewhere.Pool(1) as pool:
        local = pool.share([1])
        with pytest.raises(ValueError, match="was shared with another pool"):
            sent.packer.item([local], lambda: "it")
        with pytest.raises(pickle.UnpicklingError, match="only in calls of that pool"):
            pool.apply(len, (handle,))


def test_pickling_within_pickling_keeps_the_shared_objects_apart():
    packer, other = Packer(sources=True), Packer(sources=True)
    mine, others = packer.share([1]), other.share([2])

    class Nested:
        def __reduce__(self):
            assert len(other.item([others], lambda: "it").constants) == 1
            return list, ()

    (constant,) = packer.item([operator, Nested(), mine], lambda: "it").constants
    assert constant.body.data == pickle.dumps([1], 5)
    with pytest.raises(ValueError, match="another pool"):
        packer.item([Nested(), others], lambda: "it")


def test_a_handle_is_copied_as_itself():
    handle = Packer(sources=True).share([1])
    assert pickle.loads(pickle.dumps(handle)) is handle


def test_what_is_shared_lives_as_long_as_its_handle_or_a_body_that_refers_to_it():
    packer = Packer(sources=True)
    handle = packer.share([1])
    body = packer.item([handle, handle], lambda: "it")
    (constant,) = body.constants
    assert constant.owner is packer
    assert constant.body.data == pickle.dumps([1], 5)
    gone = weakref.ref(constant)
    del handle, constant
    gc.collect()
    assert gone() is not None
    del body
    gc.collect()
    assert gone() is None


def test_definitions_are_kept_for_the_next_call_up_to_a_size(monkeypatch):
    monkeypatch.setattr(packer_module, "LARGEST_KEPT", 10_000)
    monkeypatch.setattr(packer_module, "MOST_KEPT", 3)
    packer = Packer(sources=False)

    def kept(size):
        constant = Constant(packer, Body(b"x" * size, None, "", ()))
        packer._keep(constant)
        packer._keep(constant)
        return weakref.ref(constant)

    first, second, third = kept(4000), kept(4000), kept(4000)
    assert (first() is None, second() is None, third() is None) == (True, False, False)
    small = [kept(1) for _ in range(3)]
    assert (second() is None, third() is None) == (True, True)
    assert all(one() is not None for one in small)
    assert kept(20_000)() is None
    assert packer._kept_bytes == 0


def test_threads_pack_beside_each_other():
    packer = Packer(sources=True)
    handles = [packer.share([n]) for n in range(8)]
    wrong = []

    def pack(n):
        for _ in range(200):
            body = packer.item([handles[n], dt.date(2020, 1, 1), decimal.Decimal(n)], lambda: "it")
            if [constant.body.data for constant in body.constants] != [pickle.dumps([n], 5)]:
                wrong.append(n)

    threads = [threading.Thread(target=pack, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []

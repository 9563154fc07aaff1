"""What travels: values of many types there and back, large ones, and objects that are shared by calls."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import fractions
import ipaddress
import operator
import pathlib
import re
import uuid

import pytest

from elsewhere import RemoteError
from tests.contract.work import (
    Colour,
    Counted,
    Custom,
    Pair,
    Point,
    add,
    identity,
    loads_of,
    look_up,
    only,
    square,
)

LARGE = 5_000_000  # bytes: more than a pipe, a socket or a window of SSH takes at once

VALUES = [
    Point(1, 2),
    Pair(Point(1, 2), [Colour.RED]),
    Colour.BLUE,
    {"a": Point(3, 4), (1, 2): frozenset({Colour.RED})},
    collections.OrderedDict([("b", 1), ("a", 2)]),
    collections.Counter("hello"),
    collections.deque([1, 2], maxlen=3),
    dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    decimal.Decimal("1.10"),
    fractions.Fraction(1, 3),
    uuid.UUID(int=5),
    pathlib.PurePosixPath("/a/b"),
    ipaddress.ip_network("10.0.0.0/8"),
    1 << 200,
    float("inf"),
    3 - 4j,
    "surrogate \udc80",
    bytearray(b"bytes"),
    slice(1, 2, 3),
    ValueError("as a value"),
    ...,
    int,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_of_many_types_there_and_back(pool, value):
    found = pool.apply(identity, (value,))
    assert type(found) is type(value)
    assert repr(found) == repr(value)


def test_values_that_contain_themselves(pool):
    value = [1]
    value.append(value)
    found = pool.apply(identity, (value,))
    assert found[1] is found


@pytest.mark.parametrize("kind", [bytes, bytearray, str])
def test_large_values_there_and_back(pool, kind):
    value = "x" * LARGE if kind is str else kind(LARGE)
    assert pool.apply(identity, (value,)) == value
    assert [len(found) for found in pool.map(identity, [value] * 3)] == [LARGE] * 3


@only(trusted=True)
@pytest.mark.parametrize("value", [square, operator.itemgetter(1), re.compile("a+")], ids=["function", "getter", "re"])
def test_a_result_may_be_whatever_can_be_pickled(pool, value):
    assert repr(pool.apply(identity, (value,))) == repr(value)


@only(trusted=False)
@pytest.mark.parametrize(
    ("value", "name"),
    [(square, "tests.contract.work.square"), (operator.itemgetter(1), "operator.itemgetter")],
    ids=["function", "getter"],
)
def test_a_result_that_could_do_something_is_refused(pool, value, name):
    with pytest.raises(RemoteError, match=r"trust=True") as caught:
        pool.apply(identity, (value,))
    assert name in str(caught.value)
    assert pool.map(identity, [1, [2]]) == [1, [2]]


# ---- what is shared --------------------------------------------------------------------------------------------------


def test_what_is_shared_is_given_to_each_call(pool):
    table = pool.share({"a": 1, "b": list(range(1000))})
    assert pool.starmap(look_up, [(table, "a"), (table, "b")] * 5) == [1, list(range(1000))] * 5
    assert pool.submit(look_up, table, key="a").result() == 1
    assert pool.map(identity, [[table, "in a list"]]) == [[{"a": 1, "b": list(range(1000))}, "in a list"]]
    assert list(pool.imap(look_up, iter([table] * 3), ["a", "a", "b"]))[:2] == [1, 1]
    five = pool.share(5)
    assert pool.apply(add, (five,), {"z": five}) == 10


def test_a_shared_object_may_be_large(pool):
    data = pool.share(bytes(LARGE))
    assert pool.map(len, [data] * 10) == [LARGE] * 10


@only(isolated=True)
def test_a_worker_loads_what_is_shared_once(make_pool):
    pool = make_pool(2)
    handle = pool.share(Counted())
    assert {loads for _, loads in pool.map(loads_of, [handle] * 50)} == {1}
    assert {loads for _, loads in [pool.apply(loads_of, (handle,)) for _ in range(5)]} == {1}
    assert {loads for _, loads in pool.map(loads_of, [pool.share(Counted())] * 10)} == {2}


def test_classes_that_are_shared_come_back_as_themselves(pool):
    points = pool.share([Point(1, 2), Custom("an error")])
    found = pool.apply(identity, (points,))
    assert found[0] == Point(1, 2)
    assert type(found[1]) is Custom


@only(isolated=True)
def test_what_was_shared_with_another_pool_is_refused(make_pool):
    handle = make_pool(1).share([1])
    with pytest.raises(ValueError, match="shared with another pool"):
        make_pool(1).submit(len, handle)

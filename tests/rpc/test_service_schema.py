"""Annotations as the schema: what is taken, what it becomes, and the sentence about what is refused."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import typing
import uuid
from typing import Any, Literal, NamedTuple, NewType, Optional, TypedDict, Union

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.errors import ArgumentError, MessageTooLarge
from elsewhere.rpc.serving.methods.results import pack_response
from elsewhere.rpc.serving.methods.schema import Schema


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Tree:
    name: str
    children: list[Tree] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Positive:
    n: int

    def __post_init__(self):
        if self.n < 0:
            raise ValueError("below 0")


class Row(TypedDict):
    id: int
    name: typing.NotRequired[str]


class Pair(NamedTuple):
    first: int
    second: str = "x"


Age = NewType("Age", int)
UTC = dt.datetime(2026, 11, 25, 12, 30, tzinfo=dt.UTC)
ID = uuid.UUID(int=7)


def bound(annotation, value):
    def fn(p):
        pass

    fn.__annotations__ = {"p": annotation}
    return Schema(fn, "fn").bind([value])[0][0]


@pytest.mark.parametrize(
    ("annotation", "value", "becomes"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (float, 2.5, 2.5),
        (str, "x", "x"),
        (bytes, b"x", b"x"),
        (bytes, "\udcff", b"\xff"),
        (bytearray, b"x", bytearray(b"x")),
        (bool, True, True),
        (None, None, None),
        (Any, [1, {}], [1, {}]),
        (object, 3, 3),
        (list, [1, "x"], [1, "x"]),
        (list[int], [1, 2], [1, 2]),
        (collections.abc.Sequence[float], [1, 2], [1.0, 2.0]),
        (tuple[int, str], [1, "x"], (1, "x")),
        (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
        (tuple[()], [], ()),
        (tuple, [1], (1,)),
        (set[int], [1, 1, 2], {1, 2}),
        (frozenset[str], ["a"], frozenset("a")),
        (dict, {1: 2}, {1: 2}),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (collections.abc.Mapping[int, list[int]], {1: [2]}, {1: [2]}),
        (Optional[int], None, None),  # noqa: UP045 - both spellings are tested
        (int | None, 3, 3),
        (Union[int, str], "x", "x"),  # noqa: UP007 - as above
        (float | str, 3, 3.0),
        (int | float, 3, 3),
        (dt.date | str, "2026-11-25", "2026-11-25"),
        (Literal["a", 1], 1, 1),
        (Literal[Color.RED], "red", Color.RED),
        (Color, "red", Color.RED),
        (Color, 2, Color.BLUE),
        (Point, {"x": 1}, Point(1.0)),
        (Point, {"x": 1, "y": 2.5, "tags": ["a"]}, Point(1.0, 2.5, ["a"])),
        (list[Point], [{"x": 1}], [Point(1.0)]),
        (Tree, {"name": "a", "children": [{"name": "b"}]}, Tree("a", [Tree("b")])),
        (Row, {"id": 1}, {"id": 1}),
        (Pair, [1, "y"], Pair(1, "y")),
        (Pair, [1], Pair(1)),
        (Pair, {"first": 1}, Pair(1)),
        (Age, 3, 3),
        (typing.Annotated[int, "x"], 3, 3),
        (dt.datetime, UTC.isoformat(), UTC),
        (dt.datetime, msgpack.Timestamp.from_datetime(UTC), UTC),
        (dt.date, "2026-11-25", dt.date(2026, 11, 25)),
        (dt.time, "12:30", dt.time(12, 30)),
        (dt.timedelta, 1.5, dt.timedelta(seconds=1.5)),
        (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
        (decimal.Decimal, 3, decimal.Decimal(3)),
        (uuid.UUID, str(ID), ID),
        (uuid.UUID, ID.bytes, ID),
        (pathlib.Path, "/tmp/x", pathlib.Path("/tmp/x")),
    ],
    ids=str,
)
def test_what_it_becomes(annotation, value, becomes):
    found = bound(annotation, value)
    assert found == becomes
    assert type(found) is type(becomes)


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        (int, "3", "fn: p: expected int, got str"),
        (int, True, "fn: p: expected int, got True"),
        (int, 3.0, "fn: p: expected int, got 3.0"),
        (float, True, "fn: p: expected float, got True"),
        (str, 3, "fn: p: expected str, got 3"),
        (str, b"x", "fn: p: expected str, got bytes"),
        (bool, 1, "fn: p: expected bool, got 1"),
        (None, 3, "fn: p: expected None, got 3"),
        (list[int], [1, "x"], "fn: p[1]: expected int, got str"),
        (list[list[int]], [[1], [2, None]], "fn: p[1][1]: expected int, got None"),
        (list[int], {"a": 1}, "fn: p: expected list[int], got dict"),
        (tuple[int, str], [1], "fn: p: expected tuple[int, str], got 1 values"),
        (set[list], [[1]], "fn: p: expected set[list], got a list of what cannot be in a set"),
        (dict[str, int], {"a": "x"}, "fn: p['a']: expected int, got str"),
        (dict[str, int], {1: 1}, "fn: p (a key): expected str, got 1"),
        (int | None, "x", "fn: p: expected int | None, got str"),
        (Literal["a", "b"], "c", "fn: p: expected one of 'a', 'b', got 'c'"),
        (Literal[1], True, "fn: p: expected one of 1, got True"),
        (Color, "green", "fn: p: expected Color (one of 'red', 2), got 'green'"),
        (Point, {}, "fn: p.x: expected a field of Point, got none"),
        (Point, {"x": "a"}, "fn: p.x: expected float, got str"),
        (Point, {"x": 1, "z": 1}, "fn: p.z: expected no such field of Point, got one"),
        (Point, 3, "fn: p: expected Point, got 3"),
        (Positive, {"n": -1}, "fn: p: expected Positive, got fields that it refuses (below 0)"),
        (Row, {"id": "x"}, "fn: p.id: expected int, got str"),
        (Row, {}, "fn: p.id: expected a field of Row, got none"),
        (Pair, [1, 2, 3], "fn: p: expected Pair, got 3 values"),
        (Tree, {"name": "a", "children": [{}]}, "fn: p.children[0].name: expected a field of Tree, got none"),
        (dt.datetime, "yesterday", "fn: p: expected datetime (ISO 8601 text), got 'yesterday'"),
        (
            dt.datetime,
            msgpack.Timestamp(1 << 40),
            "fn: p: expected datetime, got Timestamp(seconds=1099511627776, nanoseconds=0)",
        ),
        (float, 10**400, "fn: p: expected float, got an int too large for one"),
        (decimal.Decimal, "x", "fn: p: expected Decimal (text or int), got 'x'"),
        (uuid.UUID, "x", "fn: p: expected UUID (text or 16 bytes), got 'x'"),
        (pathlib.Path, 3, "fn: p: expected Path (text), got 3"),
    ],
    ids=str,
)
def test_what_is_refused(annotation, value, says):
    with pytest.raises(ArgumentError) as found:
        bound(annotation, value)
    assert str(found.value) == says


def everything(a: int, b: str = "b", /, c: float = 0.0, *rest: int, d: bool, e: list[int] | None = None, **more: str):
    pass


@pytest.mark.parametrize(
    ("args", "kwargs", "bound"),
    [
        ([1], {"d": True}, ([1], {"d": True})),
        ([1, "x", 2, 3, 4], {"d": True}, ([1, "x", 2.0, 3, 4], {"d": True})),
        ([1], {"c": 1, "d": True, "e": [1], "f": "x"}, ([1], {"c": 1.0, "d": True, "e": [1], "f": "x"})),
        ([1], {"d": True, "a": "positional only, so it is one of the others"}, None),
    ],
)
def test_every_kind_of_parameter(args, kwargs, bound):
    found = Schema(everything, "everything").bind(args, kwargs)
    assert found == (bound or (args, kwargs))


@pytest.mark.parametrize(
    ("args", "kwargs", "says"),
    [
        ([], {"d": True}, "misses 'a' (int)"),
        ([1], {}, "misses 'd' (bool)"),
        ([], {}, "misses 'a' (int), 'd' (bool)"),
        ([1, "x", 2.0, "y"], {"d": True}, "rest[0]: expected int, got str"),
        ([1], {"d": True, "f": 3}, "more['f']: expected str, got 3"),
        ([1, "x", 2.0], {"d": True, "c": 1.0}, "was given 'c' twice"),
    ],
)
def test_what_is_wrong_with_them(args, kwargs, says):
    with pytest.raises(ArgumentError) as found:
        Schema(everything, "everything").bind(args, kwargs)
    assert says in str(found.value)


def test_too_many():
    with pytest.raises(ArgumentError, match="takes 1 positional argument, and was given 2"):
        bound_two = Schema(lambda x: None, "fn").bind
        bound_two([1, 2])


@given(st.lists(st.one_of(st.integers(), st.floats(), st.text(), st.binary(), st.booleans(), st.none()), max_size=4))
def test_the_quick_way_takes_just_what_the_other_does(args):
    def fn(a: int, b: str, c: float) -> None:
        pass

    schema = Schema(fn, "fn")
    quick = schema.plain == [*map(type, args)]
    schema.plain = None
    try:
        found, named = schema.bind(args)
    except ArgumentError:
        assert not quick
    else:
        assert named == {}
        assert not quick or all(one is other for one, other in zip(found, args, strict=True))


# ---- results ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (Point(1.0), {"x": 1.0, "y": 0.0, "tags": []}),
        (Color.RED, "red"),
        ({1}, [1]),
        ((1, (2,)), [1, [2]]),
        (Pair(1), [1, "x"]),
        (UTC, UTC.isoformat()),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.timedelta(seconds=2), 2.0),
        (decimal.Decimal("1.10"), "1.10"),
        (ID, str(ID)),
        (pathlib.Path("/x"), "/x"),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (range(3), [0, 1, 2]),
        ({"a": {1: Color.BLUE}}, {"a": {1: 2}}),
        (bytearray(b"x"), b"x"),
        ("\udcff", "\udcff"),
    ],
    ids=str,
)
def test_results_that_messagepack_cannot_hold(value, becomes):
    data = pack_response(1, None, value, 1 << 20)
    assert msgpack.unpackb(data, strict_map_key=False, unicode_errors="surrogateescape") == [1, 1, None, becomes]


@pytest.mark.parametrize("value", [object(), 2**64, lambda: 1, Point, iter([1])], ids=repr)
def test_results_that_cannot_be_sent(value):
    with pytest.raises((TypeError, OverflowError)):
        pack_response(1, None, [value], 1 << 20)
    assert msgpack.unpackb(pack_response(2, None, 3, 1 << 20)) == [1, 2, None, 3]  # nothing of it is left


def test_results_that_hold_themselves_or_are_too_large():
    around: list[Any] = []
    around.append(around)
    with pytest.raises(ValueError, match="recursion"):
        pack_response(1, None, around, 1 << 20)
    with pytest.raises(MessageTooLarge) as found:
        pack_response(1, None, b"x" * 100, 50)
    assert (found.value.size, found.value.limit) == (106, 50)

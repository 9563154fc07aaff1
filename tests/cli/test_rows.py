from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import pathlib
import uuid
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.cli.batch.rows import Unencodable, encode, row, type_name
from elsewhere.errors import WorkerLost

numpy = pytest.importorskip("numpy")


@dataclasses.dataclass
class Shape:
    name: str
    at: pathlib.PurePath


class Pair(NamedTuple):
    a: int
    b: tuple


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


class Mode(enum.StrEnum):
    FAST = "fast"


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Real(float):
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Shape("a", pathlib.PurePosixPath("/b")), {"name": "a", "at": "/b"}),
        (Pair(1, (2, {3})), {"a": 1, "b": [2, [3]]}),
        (pathlib.Path("x/y"), "x/y"),
        (dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2024-01-02T03:04:05+00:00"),
        (dt.date(2024, 1, 2), "2024-01-02"),
        (dt.time(3, 4), "03:04:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.10"), "1.10"),
        ([Color.RED, Level.HIGH, Mode.FAST], ["RED", "HIGH", "fast"]),
        ([numpy.float32(0.5), numpy.int64(3), numpy.bool_(True), numpy.str_("x")], [0.5, 3, True, "x"]),
        (numpy.longdouble(1.5), 1.5),
        (numpy.float64("nan"), None),
        (numpy.datetime64("2024-01-02"), "2024-01-02"),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a", 1}), [1, "a", "b"]),
        ([math.nan, math.inf, -math.inf, 1.5], [None, None, None, 1.5]),
        (
            {1: "a", None: "b", Color.RED: "c", pathlib.PurePosixPath("p"): "d"},
            {"1": "a", "null": "b", "RED": "c", "p": "d"},
        ),
        ([Text("t"), Number(4), Real(2.5)], ["t", 4, 2.5]),
        (collections.OrderedDict(a=collections.Counter("aa")), {"a": {"a": 2}}),
        ("café \u2028 \ud800 \n", "café \u2028 \ud800 \n"),
    ],
)
def test_encode(value, expected):
    text = encode(value)
    assert json.loads(text) == expected
    assert len(text.splitlines()) == 1
    text.encode()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b"x", "bytes"),
        ([1, {"a": object()}], "object"),
        (numpy.zeros(2), "numpy.ndarray"),
        (1j, "complex"),
        (dt.timedelta(1), "datetime.timedelta"),
        (iter([]), "list_iterator"),
        ({(1, 2): 3}, "dict with a key of type tuple"),
        (Shape, "type"),
        (ValueError("x"), "ValueError"),
    ],
)
def test_other_types_are_named(value, name):
    with pytest.raises(Unencodable) as caught:
        encode(value)
    assert caught.value.type_name == name


def test_a_value_inside_itself_is_named():
    value = []
    value.append(value)
    with pytest.raises(Unencodable, match="list that contains itself"):
        encode(value)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(values)
def test_what_json_has_comes_back_as_it_was(value):
    assert json.loads(encode(value)) == value


@given(st.text(st.characters(), max_size=20), values)
def test_a_row_is_one_line_of_utf8_for_everyone(given_, value):
    line = row(3, given_, "value", encode(value), 0.25, 2)
    assert line.count(b"\n") == 1
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line) == {"index": 3, "input": given_, "value": value, "seconds": 0.25, "attempt": 2}
    assert list(json.loads(line)) == ["index", "input", "value", "seconds", "attempt"]


def test_seconds_that_nobody_knows():
    assert json.loads(row(0, "a", "error", "{}", None, 1))["seconds"] is None


def test_type_names():
    assert type_name(ValueError) == "ValueError"
    assert type_name(WorkerLost) == "elsewhere.WorkerLost"
    assert type_name(decimal.Decimal) == "decimal.Decimal"

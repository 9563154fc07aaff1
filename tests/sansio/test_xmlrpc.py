"""XML-RPC's machine: what goes round, what is written, and many calls in one."""

from __future__ import annotations

import datetime as dt
import enum
import math
import tracemalloc
import xmlrpc.client
from collections import OrderedDict
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elsewhere.errors import MessageTooLarge
from elsewhere.sansio.xmlrpc import (
    INVALID,
    METHOD_NOT_FOUND,
    MULTICALL,
    PARAMS,
    Fault,
    Limits,
    Malformed,
    answer,
    batch,
    batch_answer,
    call,
    fault,
    parse_answer,
    parse_batch,
    parse_batch_answer,
    parse_call,
)

# All that XML 1.0 can hold:
CHARACTERS = st.characters(blacklist_categories=["Cs"], blacklist_characters="\ufffe\uffff").filter(
    lambda one: one >= " " or one in "\t\n\r"
)
TEXTS = st.text(CHARACTERS, max_size=30)
TIMES = st.datetimes().map(lambda moment: moment.replace(microsecond=0))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | TEXTS
    | st.binary(max_size=300)
    | TIMES,
    lambda inner: st.lists(inner, max_size=10) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=30,
)


def typed(value):
    """The value with its types: True is no 1."""
    if isinstance(value, list | tuple):
        return [typed(part) for part in value]
    if isinstance(value, dict):
        return {key: typed(part) for key, part in value.items()}
    return type(value), value


class TestRoundTrips:
    @settings(max_examples=50)
    @given(TEXTS.map(str.strip).filter(bool), st.lists(VALUES, max_size=4))
    @example("a.b<c>&", ["\r\n", " x ", -0.0, 2**31, -(2**31) - 1, ""])
    def test_a_call_arrives_as_it_was_sent(self, method, params):
        assert typed(parse_call(call(method, params))) == typed((method, params))

    @settings(max_examples=50)
    @given(VALUES)
    def test_an_answer_arrives_as_it_was_sent(self, value):
        assert typed(parse_answer(answer(value))) == typed(value)

    @settings(max_examples=50)
    @given(st.lists(VALUES, max_size=3))
    def test_the_standard_library_reads_what_is_sent(self, params):
        got, method = xmlrpc.client.loads(call("m", params), use_builtin_types=True)
        assert (method, typed(got)) == ("m", typed(params))

    @settings(max_examples=50)
    @given(st.lists(VALUES, max_size=3))
    def test_what_the_standard_library_sends_is_read(self, params):
        long = [value for value in map(repr, params) if len(value) > 10]  # it refuses more than 32 bits
        try:
            text = xmlrpc.client.dumps(tuple(params), "m", allow_none=True)
        except OverflowError:
            assert long
            return
        method, got = parse_call(text.encode())
        assert (method, typed(got)) == ("m", typed(_line_feeds(params)))

    @given(st.integers(-(2**31), 2**31 - 1), st.text())
    @example(1, "\x00\ud800\uffff\r</string>")
    def test_a_fault_can_always_be_written(self, code, text):
        with pytest.raises(Fault) as raised:
            parse_answer(fault(code, text))
        assert raised.value.code == code
        assert raised.value.text == text or not text.isprintable()

    @pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 65_535, 65_536, 200_001])
    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_binary_data_of_any_size_and_kind(self, size, kind):
        data = bytes(range(256)) * (size // 256) + bytes(size % 256)
        assert parse_call(call("m", [1, kind(data), "x", kind(data)])) == ("m", [1, data, "x", data])

    @pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
    def test_numbers_that_are_none_go_as_python_writes_them(self, number):
        assert repr(parse_answer(answer(number))) == repr(number)


def _line_feeds(value):
    """The standard library does not escape carriage returns, so XML makes line feeds of them."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n")
    if isinstance(value, list):
        return [_line_feeds(part) for part in value]
    if isinstance(value, dict):
        return {_line_feeds(key): _line_feeds(part) for key, part in value.items()}
    return value


class Colour(enum.StrEnum):
    RED = "red<"


class Level(enum.IntEnum):
    HIGH = 7


class Metres(float):
    def __repr__(self):
        return "far"


class Point(NamedTuple):
    x: int
    y: int


class TestWriting:
    def test_subclasses_go_as_what_they_are_kinds_of(self):
        values = [Colour.RED, Level.HIGH, Metres(1.5), Point(1, 2), OrderedDict(a=1), (1, (2,))]
        assert typed(parse_answer(answer(values))) == typed(["red<", 7, 1.5, [1, 2], {"a": 1}, [1, [2]]])

    def test_small_numbers_go_as_int_and_others_as_i8(self):
        assert b"<int>2147483647</int>" in answer(2**31 - 1)
        assert b"<i8>2147483648</i8>" in answer(2**31)
        assert b"<i8>-2147483649</i8>" in answer(-(2**31) - 1)

    def test_a_time_with_a_zone_goes_as_utc(self):
        zone = dt.timezone(dt.timedelta(hours=2))
        moment = dt.datetime(26, 1, 2, 1, 4, 5, 678, tzinfo=zone)
        assert b">00260101T23:04:05<" in answer(moment)

    @pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
    def test_larger_numbers_are_an_error(self, number):
        with pytest.raises(OverflowError, match="64 bits"):
            answer([{"a": number}])

    @pytest.mark.parametrize("bad", ["\x00", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
    def test_what_xml_cannot_hold_is_an_error_that_says_where(self, bad):
        for write in (lambda text: answer([text]), lambda text: answer({text: 1}), lambda text: call(text, [])):
            with pytest.raises(ValueError, match="at 2"):
                write(f"ab{bad}c")

    def test_names_in_a_struct_are_texts(self):
        with pytest.raises(TypeError, match="not int"):
            answer({1: 2})

    def test_what_has_no_type_is_an_error_that_names_it(self):
        with pytest.raises(TypeError, match=r"decimal\.Decimal"):
            answer([Decimal("1.5")])

    def test_the_hook_makes_something_of_it(self):
        assert parse_answer(answer([Decimal("1.5"), {"a": {1, 2}}], default=_plain)) == ["1.5", {"a": [1, 2]}]

    def test_a_hook_that_makes_nothing_of_it_ends(self):
        with pytest.raises(ValueError, match="200 deep"):
            answer(object(), default=lambda value: value)

    def test_a_list_that_contains_itself_is_an_error(self):
        loop: list[object] = []
        loop.append({"a": loop})
        with pytest.raises(ValueError, match="contains itself"):
            call("m", [loop])

    def test_a_method_needs_a_name(self):
        with pytest.raises(ValueError, match="name"):
            call("", [])

    def test_a_body_above_the_limit_is_not_made(self):
        for value in (["x" * 1000], b"x" * 100_000):
            with pytest.raises(MessageTooLarge) as raised:
                answer(value, limits=Limits(size=500))
            assert raised.value.size > raised.value.limit == 500

    def test_nor_is_the_base64_of_what_is_too_large(self):
        data = bytes(10 << 20)
        tracemalloc.start()
        try:
            with pytest.raises(MessageTooLarge):
                answer(data, limits=Limits(size=1 << 20))
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, set) else str(value)


class TestBatches:
    def test_calls_go_round(self):
        calls = [("a", [1]), ("b.c", []), ("d", (b"x", None))]
        method, params = parse_call(call(MULTICALL, batch(calls)))
        assert method == MULTICALL
        assert parse_batch(params) == [(name, list(args)) for name, args in calls]

    def test_outcomes_go_round(self):
        [first, second, third] = parse_batch_answer(
            parse_answer(answer(batch_answer([1, Fault(4, "no\x00"), [2]]))), count=3
        )
        assert (first, third) == (1, [2])
        assert type(second) is Fault
        assert second.args == (4, "no\\x00")

    @pytest.mark.parametrize("params", [[], [1], [[], []], ["a"], [{}]])
    def test_what_are_no_arguments_of_it(self, params):
        with pytest.raises(Fault) as raised:
            parse_batch(params)
        assert raised.value.code == PARAMS

    @pytest.mark.parametrize("item", [1, {}, {"methodName": 1}, {"methodName": "a", "params": 1}, ["a"]])
    def test_what_is_no_call_has_a_fault_in_its_place(self, item):
        first, second = parse_batch([[item, {"methodName": "a"}]])
        assert type(first) is Fault
        assert first.code == INVALID
        assert second == ("a", [])

    def test_no_batch_in_a_batch(self):
        [found] = parse_batch([[{"methodName": MULTICALL, "params": [[]]}]])
        assert type(found) is Fault
        assert found.code == METHOD_NOT_FOUND

    @pytest.mark.parametrize(
        "value", [None, 1, [], [[1]], [[1], [2], [3]], [[1], []], [[1], {"faultCode": "a"}], [[1], 2]]
    )
    def test_what_is_no_answer_to_it(self, value):
        with pytest.raises(Malformed, match=MULTICALL):
            parse_batch_answer(value, count=2)

"""MessagePack-RPC's machine: any cut, any garbage, any claim."""

from __future__ import annotations

import itertools
import math
import struct

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elsewhere.errors import MessageTooLarge
from elsewhere.sansio import msgpackrpc
from elsewhere.sansio.claims import claimed
from elsewhere.sansio.msgpackrpc import NOTIFY, REQUEST, RESPONSE, Wire

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5) | st.integers(0, 99), inner, max_size=5)
    ),
    max_leaves=30,
)
IDS = st.integers(0, 2**32 - 1)
MESSAGES = (
    st.tuples(st.just(REQUEST), IDS, st.text(max_size=20), st.lists(VALUES, max_size=4)).map(list)
    | st.tuples(st.just(RESPONSE), IDS, VALUES, VALUES).map(list)
    | st.tuples(st.just(NOTIFY), st.text(max_size=20), st.lists(VALUES, max_size=4)).map(list)
)


def cut(data, places):
    ends = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in itertools.pairwise(ends)]


def packed(messages):
    return b"".join(msgpack.packb(message) for message in messages)


@given(st.lists(MESSAGES, max_size=5), st.lists(st.integers(0, 3000), max_size=6))
def test_messages_come_whole_however_they_are_cut(messages, places):
    wire, found = Wire(), []
    for piece in cut(packed(messages), places):
        found += wire.feed(piece)
    assert (found, wire.broken, wire.missing) == (messages, "", 0)


@given(st.lists(MESSAGES, max_size=5), st.lists(st.integers(0, 3000), max_size=6), st.integers(0, 200))
def test_nor_does_it_matter_from_which_size_on_arrays_and_maps_are_counted(messages, places, careful):
    before, msgpackrpc.CAREFUL = msgpackrpc.CAREFUL, careful
    try:
        wire, found = Wire(), []
        for piece in cut(packed(messages), places):
            found += wire.feed(piece)
            wire.rest()
    finally:
        msgpackrpc.CAREFUL = before
    assert (found, wire.broken, wire.missing) == (messages, "", 0)


def of_empty_ones(count, kind=b"\x90"):
    """A notification with so many of these, in arrays of 50,000."""
    rows = [min(50_000, count - at) for at in range(0, count, 50_000)]
    arrays = b"".join(b"\xdd" + struct.pack(">I", row) + kind * row for row in rows)
    return b"\x93\x02\xa1m\xdd" + struct.pack(">I", len(rows)) + arrays


@pytest.fixture
def careful(monkeypatch):
    """A machine with the limits of a small one."""
    monkeypatch.setattr(msgpackrpc, "CAREFUL", 1 << 14)
    return Wire(items=50_000)


@pytest.mark.parametrize("size", [1 << 10, 1 << 15, 1 << 30])
@pytest.mark.parametrize(("kind", "each"), [(b"\x90", 1), (b"\x80", 1), (b"\x81\x01\x90", 2)])
def test_a_message_has_not_more_arrays_and_maps_than_are_allowed_in_all(careful, size, kind, each):
    data = of_empty_ones(99_990 // each, kind)
    for at in range(0, len(data), size):
        found = careful.feed(data[at : at + size])
    assert [message[:2] for message in found] == [[2, "m"]]
    data = of_empty_ones(200_000, kind)
    for at in range(0, len(data), size):
        assert careful.feed(data[at : at + size]) == []
        if careful.broken:
            break
    assert careful.broken == "a message holds more than is allowed: 100001 exceeds max_arrays_and_maps(100000)"
    assert at < len(data) - size or size > len(data)  # it did not wait for the end


def test_large_messages_that_come_together_are_counted_alone(careful):
    found = careful.feed(of_empty_ones(75_000) * 2 + msgpack.packb([0, 1, "m", []]))
    assert [len(message) for message in found] == [3, 3, 4]
    assert careful.broken == ""
    assert careful.feed(of_empty_ones(75_000)) != []


def test_what_has_many_arrays_is_bounded_as_it_is_served():
    wire = Wire()
    assert msgpackrpc.IN_ALL * msgpackrpc.ITEMS < msgpackrpc.LIMIT // 16
    data = b"\x93\x02\xa1m\xdd\x00\x00\x00\x40" + (b"\xdd\x00\x10\x00\x00" + b"\x90" * (1 << 20)) * 3
    for at in range(0, len(data), 1 << 16):
        wire.feed(data[at : at + (1 << 16)])
    assert "exceeds max_arrays_and_maps(2097152)" in wire.broken


@given(MESSAGES)
def test_byte_by_byte_nothing_is_claimed_that_is_not_there(message):
    data, wire = packed([message]), Wire()
    for at in range(len(data) - 1):
        assert wire.feed(data[at : at + 1]) == []
        assert 1 <= wire.missing <= len(data) - at - 1
    assert wire.feed(data[-1:]) == [message]


@given(VALUES, st.integers(0, 600))
def test_what_a_beginning_claims_is_never_too_much(value, size):
    data = msgpack.packb(value)
    assert claimed(data) == len(data)
    assert claimed(data[:size]) <= len(data)


@given(st.lists(MESSAGES, max_size=3), st.binary(min_size=1, max_size=60), st.lists(MESSAGES, min_size=1, max_size=3))
@example([], b"POST / HTTP/1.1\r\n", [[0, 1, "double", [7]]])
@example([], b"\xc1", [[0, 1, "double", [7]]])
@example([], msgpack.packb([True, 1, "double", [7]]), [[0, 1, "double", [7]]])
def test_nothing_behind_what_is_no_message_is_seen(before, garbage, after):
    wire, clean = Wire(), Wire()
    found = wire.feed(packed(before) + garbage + packed(after))
    expected = clean.feed(packed(before) + garbage)
    if clean.broken:
        assert (found, wire.broken) == (expected, clean.broken)
        assert wire.feed(packed(after)) == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (7, "no message"),
        ([], "no message"),
        ({}, "no message"),
        ([3, 1, "m", []], "begins with the value 3"),
        ([False, 1, "m", []], "begins with the value False"),
        ([0, 1, "m", [], 5], "no message"),
        ([2, 1, "m", []], "array of 4"),
        ([0, "m", []], "array of 3"),
        ([0, "1", "m", []], "no msgid"),
        ([0, True, "m", []], "no msgid"),
        ([0, -1, "m", []], "no msgid"),
        ([1, 2**32, None, 1], "no msgid"),
        ([0, 1, 5, []], "no name of a method"),
        ([0, 1, "m", {}], "no params"),
        ([2, "m", None], "no params"),
    ],
)
def test_what_is_no_message(message, reason):
    wire = Wire()
    assert wire.feed(msgpack.packb(message)) == []
    assert reason in wire.broken


@pytest.mark.parametrize(
    "data",
    [
        b"\x94\x00\x01\xa1x\xdd\xff\xff\xff\xff",  # an array of four thousand million
        b"\x94\x00\x01\xa1x\xdf\xff\xff\xff\xff",
        b"\x94\x00\x01\xdb\xff\xff\xff\xff",
        b"\x94\x00\x01\xa1x\x91\xc6\x7f\xff\xff\xff",
        b"\x94\x00\x01\xa1x\x91\xc9\x7f\xff\xff\xff\x01",
    ],
)
def test_a_claim_is_refused_by_its_header(data):
    wire = Wire()
    for at in range(len(data)):
        assert wire.feed(data[at : at + 1]) == []
    assert wire.too_large > wire.limit
    assert "limit" in wire.broken or "allowed" in wire.broken


def test_a_message_of_many_small_values_is_refused_when_it_is_above_the_limit():
    wire = Wire(limit=1000)
    data = msgpack.packb([0, 1, "m", [["x" * 9] * 10] * 12])
    for at in range(0, len(data), 100):
        wire.feed(data[at : at + 100])
    assert 1000 < wire.too_large <= 1100


def test_many_small_messages_are_no_large_one():
    wire, message = Wire(limit=100), msgpack.packb([2, "m", [1]])
    assert len(wire.feed(message * 1000)) == 1000
    assert not wire.broken


def test_a_message_nested_too_deeply():
    wire = Wire()
    assert wire.feed(b"\x94\x00\x01\xa1m" + b"\x91" * 5000) == []
    assert wire.broken == "a message is nested too deeply"


def test_a_key_that_cannot_be_one():
    wire = Wire()
    assert wire.feed(b"\x94\x00\x01\xa1m\x91\x81\x80\x01" + msgpack.packb([2, "m", []])) == []
    assert "unhashable" in wire.broken


def test_undecodable_text_travels_byte_for_byte():
    wire = Wire()
    [[*_, params]] = wire.feed(b"\x93\x02\xa1m\x91\xa3a\xff\xfe")
    assert params == ["a\udcff\udcfe"]
    assert wire.notify("m", params) == b"\x93\x02\xa1m\x91\xa3a\xff\xfe"


def test_a_method_as_bytes_and_an_ext():
    wire = Wire()
    [[*_, method, params]] = wire.feed(msgpack.packb([0, 1, b"name", [msgpack.ExtType(1, b"\x05")]]))
    assert (method, params) == ("name", [msgpack.ExtType(1, b"\x05")])


def test_peers_of_the_old_specification():
    old = Wire(old_raw=True)
    data = old.notify("m", ["x" * 40, b"\x00\xff"])
    assert data == b"\x93\x02\xa1m\x92\xda\x00\x28" + b"x" * 40 + b"\xa2\x00\xff"
    assert old.feed(data) == [[2, "m", ["x" * 40, b"\x00\xff"]]]
    assert old.feed(msgpack.packb([2, "m", [{"a": b"b"}]])) == [[2, "m", [{"a": "b"}]]]


def test_msgids_wrap_and_leave_out_those_under_way():
    wire = Wire()
    first, _ = wire.request("m", [], "first")
    assert first == 1
    wire._id = msgpackrpc.LAST_ID - 1
    assert [wire.request("m", [], "more")[0] for _ in range(3)] == [msgpackrpc.LAST_ID, 2, 3]
    assert wire.pending[1] == "first"


def test_what_cannot_be_packed_leaves_no_trace():
    wire = Wire()
    for wrong in (object(), 2**64, math):
        with pytest.raises((TypeError, OverflowError)):
            wire.request("m", [1, wrong], "slot")
    assert wire.pending == {}
    assert wire.request("m", [1], "slot") == (1, msgpack.packb([0, 1, "m", [1]]))


def test_above_the_limit_is_not_sent():
    wire = Wire(limit=100)
    with pytest.raises(MessageTooLarge, match="limit of 100") as caught:
        wire.request("m", [b"x" * 100], "slot")
    assert (caught.value.size, caught.value.limit, wire.pending) == (108, 100, {})
    assert wire.response(1, None, 5) == struct.pack("5B", 0x94, 1, 1, 0xC0, 5)


def test_what_cannot_be_packed_is_said_with_what_can_be():
    with pytest.raises(TypeError, match=r"'object' object: MessagePack carries None, bool, int of 64 bits, float"):
        Wire().request("m", [object()], "slot")


def test_a_server_of_http_is_told_from_other_nonsense():
    wire = Wire()
    assert wire.feed(b"HTTP/1.1 400 Bad Request\r\n\r\n") == []
    assert wire.broken.endswith("an address of HTTP begins with http://")

"""Large bytes: in pieces on their way out, apart from the rest on their way in."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elsewhere.errors import MessageTooLarge
from elsewhere.sansio.claims import last_bin
from elsewhere.sansio.large import LARGE, begins
from elsewhere.sansio.msgpackrpc import Wire

BIG = bytes(range(251)) * (2 * LARGE // 251)
SMALL = st.integers(0, 5) | st.text(max_size=3) | st.binary(max_size=300)
MANY = [
    [1, 1, None, BIG],
    [1, 2, None, 5],
    [0, 3, "m", [1, BIG]],
    [0, 4, "m", [BIG, 1]],
    [2, "note", [[1, [2, BIG]]]],
    [1, 5, None, {"a": BIG}],
    [1, 6, None, "x" * len(BIG)],
    [1, 7, None, BIG],
]


def fed(wire, data, step):
    found, exact = [], False
    for at in range(0, len(data), step):
        found += wire.feed(data[at : at + step])
        exact = exact or wire.exact > 0
    return found, exact


@pytest.mark.parametrize("step", [7_777, 65_536, 100_000, 300_000, len(BIG) + 40, 10**9])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_messages_are_the_same_however_they_come(step, kind):
    wire, data = Wire(), b"".join(map(msgpack.packb, MANY))
    found, exact = fed(wire, kind(data), step)
    assert found == MANY
    assert (wire.broken, wire.missing, wire.exact) == ("", 0, 0)
    assert exact if step < LARGE else True
    assert not exact if step > len(data) else True


@given(st.lists(SMALL, max_size=4), st.integers(1, 700), st.booleans())
@example([], 1, True)
def test_the_first_bytes_may_be_cut_anywhere(before, cut, answer):
    message = [1, 9, None, BIG] if answer else [0, 9, "method", [*before, BIG]]
    wire, data = Wire(), msgpack.packb(message)
    found, at = wire.feed(data[:cut]), cut
    while not found:
        following = len(data) if wire.exact else min(len(data), at + 97)
        found, at = wire.feed(data[at:following]), following
    assert found == [message]
    assert wire.feed(msgpack.packb([2, "next", []])) == [[2, "next", []]]


def test_who_reads_exactly_what_is_missing_reads_nothing_of_the_next():
    wire, data = Wire(), msgpack.packb([1, 1, None, BIG]) + msgpack.packb([1, 2, None, 3])
    assert wire.feed(data[:100]) == []
    assert wire.exact == wire.missing == len(data) - 5 - 100
    assert wire.feed(data[100 : 100 + wire.exact]) == [[1, 1, None, BIG]]
    assert wire.feed(data[-5:]) == [[1, 2, None, 3]]


def test_byte_by_byte_it_takes_little_more_room_than_it_has():
    wire, data = Wire(), msgpack.packb([1, 1, None, BIG])
    wire.feed(data[:100])
    for at in range(100, len(data) - 1):
        wire.feed(data[at : at + 1])
    assert wire._tail is not None
    assert len(wire._tail._pieces) <= 2
    assert wire.feed(data[-1:]) == [[1, 1, None, BIG]]


def test_where_the_large_value_begins():
    assert begins(msgpack.packb([1, 1, None, BIG])) == 9
    assert begins(msgpack.packb([1, 70_000, None, BIG])[:20]) == 13
    for other in ([1, 1, None, b"small"], [1, 1, None, {"a": BIG}], [0, 1, "m", [BIG, 1]], 5):
        assert begins(msgpack.packb(other)[:512]) == 0
    assert begins(b"") == begins(b"\x94\x01") == begins(b"\x94\x01\x01\xc0\xc6\x00") == 0


def test_what_is_no_message_is_none_with_a_large_value_either():
    for wrong in ([7, 1, None, BIG], [BIG], [0, 1, 5, [BIG]], [1, "x", None, BIG]):
        wire = Wire()
        found, _ = fed(wire, msgpack.packb(wrong), 65_536)
        assert found == []
        assert "no " in wire.broken


def test_above_the_limit_it_is_refused_by_its_header():
    wire = Wire(limit=len(BIG))
    assert wire.feed(msgpack.packb([1, 1, None, BIG])[:100]) == []
    assert wire.too_large > len(BIG)
    assert wire.exact == 0


def test_an_idle_wire_forgets_no_half():
    wire, data = Wire(), msgpack.packb([1, 1, None, BIG])
    wire.feed(data[:1000])
    wire.rest()
    assert wire.feed(data[1000:]) == [[1, 1, None, BIG]]


@given(st.recursive(SMALL, lambda inner: st.lists(inner, max_size=17) | st.dictionaries(st.text(max_size=2), inner)))
def test_the_last_value_is_found_where_it_is(value):
    data = msgpack.packb(value)
    found = last_bin(data)
    last = value
    while type(last) is list and last:
        last = last[-1]
    if type(last) is bytes:
        assert found == (len(data) - len(msgpack.packb(last)), len(last))
    else:
        assert found is None
    for cut in range(len(data)):
        assert last_bin(data[:cut]) in {None, found}


@pytest.mark.parametrize("old_raw", [False, True])
@pytest.mark.parametrize("params", [[BIG], [1, BIG, "x", BIG], [BIG, 2], [0] * 20 + [BIG], [1] * 70_000 + [BIG]])
def test_pieces_are_what_the_codec_would_give(params, old_raw):
    wire = Wire(old_raw=old_raw)
    msgid, pieces = wire.request_in_pieces("m", params, "slot")
    assert b"".join(pieces) == msgpack.packb([0, msgid, "m", params], use_bin_type=not old_raw)
    assert wire.pending == {msgid: "slot"}
    assert any(piece is BIG for piece in pieces)


def test_pieces_above_the_limit_leave_no_trace():
    wire = Wire(limit=len(BIG))
    with pytest.raises(MessageTooLarge):
        wire.request_in_pieces("m", [BIG], "slot")
    with pytest.raises(TypeError):
        wire.request_in_pieces("m", [BIG, object()], "slot")
    assert wire.pending == {}
    assert wire.request("m", [1], "slot")[1] == msgpack.packb([0, 3, "m", [1]])

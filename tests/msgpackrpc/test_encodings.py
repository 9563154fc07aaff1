"""Str and bytes of old peers and new ones, whatever they hold and however they are cut."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elsewhere.msgpackrpc.transport.encodings import Encodings

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
RAW = st.one_of(TEXT.map(str.encode), st.binary(max_size=40))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), RAW)
VALUES = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(RAW, inner, max_size=4)), max_leaves=12
)


def as_text(value: Any, encoding: str) -> Any:
    """What an old peer's raw should arrive as."""
    if isinstance(value, bytes):
        try:
            return value.decode(encoding)
        except UnicodeDecodeError:
            return value
    if isinstance(value, list):
        return [as_text(part, encoding) for part in value]
    if isinstance(value, dict):
        return {as_text(key, encoding): as_text(part, encoding) for key, part in value.items()}
    return value


def fed(encodings: Encodings, data: bytes, cuts: list[int]) -> list[Any]:
    stream = encodings.stream(1000)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    found = []
    for start, end in pairwise(places):
        found += stream.take(data[start:end])
    assert stream.wire.broken == ""
    return found


@given(st.lists(VALUES, max_size=4), st.lists(st.integers(0, 1000), max_size=4))
@example([[-33, b"\x80", -33]], [35])  # what is no UTF-8 comes with the first half of its message
@pytest.mark.parametrize("encoding", [None, "utf-8", "utf-16-le", "ascii"])
def test_the_raw_of_an_old_peer(encoding, values, cuts):
    messages = [[0, 1, b"m", values], [1, 2, None, values], [2, b"m", values]]
    data = b"".join(msgpack.packb(message, use_bin_type=False) for message in messages)
    expected = values if encoding is None else as_text(values, encoding)
    assert fed(Encodings("utf-8", encoding), data, cuts) == [
        [0, 1, "m", expected],
        [1, 2, None, expected],
        [2, "m", expected],
    ]


@given(st.lists(VALUES, max_size=4), st.lists(st.integers(0, 1000), max_size=4))
def test_the_bin_of_a_new_peer_is_bytes(values, cuts):
    data = msgpack.packb([1, 2, None, values], use_bin_type=True)
    for encoding in (None, "utf-8", "latin-1"):
        assert fed(Encodings("utf-8", encoding), data, cuts) == [[1, 2, None, values]]


@given(TEXT, st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_what_is_packed_in_an_encoding_is_unpacked_in_it(text, encoding):
    encodings = Encodings(encoding, encoding)
    value = {text: [text, (text, 1)]}
    data = encodings.stream(1000).wire.response(1, None, encodings.outgoing(value))
    assert fed(encodings, data, []) == [[1, 1, None, {text: [text, [text, 1]]}]]


@pytest.mark.parametrize("encoding", ["UTF8", "utf_8", "U8"])
def test_utf_8_has_many_names(encoding):
    encodings = Encodings(encoding, encoding)
    value = "ä"
    assert encodings.outgoing(value) is value  # the codec does it
    assert fed(encodings, msgpack.packb([1, 1, None, "ä"]), []) == [[1, 1, None, "ä"]]

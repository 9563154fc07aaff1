"""The keeper by itself: what it counts, and what it holds back."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from elsewhere.cluster import lines, shipping
from elsewhere.cluster.keeping import frames as keeping
from elsewhere.cluster.keeping import keeper
from elsewhere.runtime.far import worker as wire

KINDS = st.sampled_from([wire.HELLO, wire.VALUE, wire.ERROR, wire.OUTPUT, wire.RELEASED])
FRAMES = st.lists(st.tuples(KINDS, st.binary(max_size=40)), max_size=12)


def test_it_speaks_the_far_workers_language() -> None:
    assert keeping.HEADER.format == wire.HEADER.format
    names = ("RUN", "HELLO", "READY", "VALUE", "ERROR", "SKIPPED", "RELEASED", "ASK", "FAILED")
    assert [getattr(keeping, name) for name in names] == [getattr(wire, name) for name in names]
    assert keeper.OP == shipping.OP


@given(FRAMES, st.data())
def test_frames_are_counted_however_the_bytes_are_cut(frames, data) -> None:
    whole = b"".join(wire.frame(kind, payload) for kind, payload in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    reader, found = keeping.Reader(), []
    for lo, hi in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += reader.feed(whole[lo:hi])
    assert found == [(kind, payload if kind == wire.RELEASED else b"") for kind, payload in frames]


RUNS = st.lists(
    st.tuples(st.sampled_from([wire.RUN, wire.FUNCTION, wire.SHARE, wire.SKIP]), st.binary(min_size=4, max_size=30)),
    max_size=8,
)


@given(RUNS, st.data())
def test_runs_that_are_withdrawn_are_taken_out_and_nothing_else(frames, data) -> None:
    pieces: list[bytes] = []
    for kind, payload in frames:
        if data.draw(st.booleans()):
            pieces += [wire.header(kind, len(payload)), payload]
        else:
            pieces.append(wire.frame(kind, payload))
    assert [(kind, b"".join(parts)) for kind, parts in lines.frames_of(pieces)] == [
        (kind, wire.frame(kind, payload)) for kind, payload in frames
    ]
    kept = b"".join(bytes(piece) for piece in keeping.without_runs(pieces))
    assert kept == b"".join(wire.frame(kind, payload) for kind, payload in frames if kind != wire.RUN)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=5))
def test_calls_of_a_run_are_read_from_its_frame(counts) -> None:
    for count in counts:
        payload = struct.pack("<I", count) + b"body"
        assert lines._calls([wire.frame(wire.RUN, payload)]) == count
        assert lines._calls([wire.header(wire.RUN, len(payload)), payload]) == count


def test_the_shipped_source_is_whole_and_small() -> None:
    given = {"code": shipping.code(), "given": ()}
    module = eval(shipping.words().rpartition(".visit")[0], given)
    again = eval(shipping.words().rpartition(".visit")[0], {"code": b""})
    assert module is again
    assert module.OP == shipping.OP
    assert len(shipping.code()) < 8_000

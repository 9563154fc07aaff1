"""Frames out of a stream that is cut anywhere, and the payload of a run."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elsewhere.errors import ProtocolError
from elsewhere.sansio.frames import (
    DIGEST,
    FROM_WORKER,
    LARGEST,
    TO_WORKER,
    Parser,
    Reply,
    Shape,
    ToWorker,
    command,
    join_run,
    split_run,
)

PAYLOADS = st.binary(max_size=40)
TO_WORKER_FRAMES = st.lists(
    st.tuples(
        st.sampled_from(ToWorker), st.sampled_from(Shape), PAYLOADS, st.integers(0, 2**32 - 1), st.integers(0, 9)
    ),
    max_size=6,
)
FROM_WORKER_FRAMES = st.lists(
    st.tuples(
        st.sampled_from(Reply), st.integers(0, 5), PAYLOADS, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)
    ),
    max_size=6,
)


def feed(parser: Parser, data: bytes, cuts: list[int]) -> list[tuple[tuple[int, ...], bytes]]:
    found, edges = [], [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for lo, hi in itertools.pairwise(edges):
        found += [(fields, bytes(payload)) for fields, payload in parser.feed(data[lo:hi])]
    return found


@given(TO_WORKER_FRAMES, st.lists(st.integers(0, 300)))
def test_a_stream_to_a_worker_under_any_cuts(frames, cuts):
    stream = b"".join(command(k, len(p), shape=s, function=f, calls=c) + p for k, s, p, f, c in frames)
    parser = Parser(TO_WORKER)
    assert feed(parser, stream, cuts) == [((k, s, len(p), f, c), p) for k, s, p, f, c in frames]
    assert parser.pending == 0


@given(FROM_WORKER_FRAMES, st.lists(st.integers(0, 500)))
def test_a_stream_from_a_worker_under_any_cuts(frames, cuts):
    stream = b"".join(FROM_WORKER.pack(k, r, len(p), tail, segment, 7) + p for k, r, p, tail, segment in frames)
    parser = Parser(FROM_WORKER)
    assert feed(parser, stream, cuts) == [((k, r, len(p), t, s, 7), p) for k, r, p, t, s in frames]
    assert parser.pending == 0


def test_byte_by_byte_a_frame_comes_with_its_last_byte():
    parts = [command(ToWorker.SETUP, 3) + b"abc", command(ToWorker.EXIT), command(ToWorker.RUN, 2, calls=2) + b"de"]
    stream, parser, come = b"".join(parts), Parser(TO_WORKER), []
    for at in range(len(stream)):
        for fields, payload in parser.feed(stream[at : at + 1]):
            come.append((at + 1, fields[0], bytes(payload)))
        whole = sum(len(part) for part in parts[: len(come)])
        assert parser.pending == at + 1 - whole
    assert come == [(19, ToWorker.SETUP, b"abc"), (35, ToWorker.EXIT, b""), (53, ToWorker.RUN, b"de")]


def test_a_payload_stays_valid_after_more_was_fed():
    parser = Parser(TO_WORKER)
    frame = command(ToWorker.LEARN, 4) + b"keep"
    assert list(parser.feed(frame[:5])) == []
    ((_, first),) = parser.feed(frame[5:] + frame[:7])
    ((_, second),) = parser.feed(frame[7:])
    assert (bytes(first), bytes(second)) == (b"keep", b"keep")


def test_the_layouts_have_the_sizes_the_docstring_says():
    assert (TO_WORKER.size, FROM_WORKER.size) == (16, 32)


def test_a_payload_of_4_gib_is_refused_in_words():
    assert len(command(ToWorker.RUN, LARGEST)) == 16
    with pytest.raises(ValueError, match=r"4,294,967,296 bytes; at most 4,294,967,295"):
        command(ToWorker.RUN, LARGEST + 1)


BODIES = st.lists(st.binary(max_size=20), max_size=8)
NEEDS = st.lists(st.binary(min_size=DIGEST, max_size=DIGEST), max_size=4)


@given(BODIES, NEEDS)
def test_a_run_comes_out_as_it_went_in(bodies, needs):
    payload = memoryview(b"".join(join_run(bodies, needs)))
    wanted, items = split_run(payload, len(bodies))
    assert wanted == tuple(needs)
    assert [bytes(item) for item in items] == bodies


@settings(max_examples=200)
@given(BODIES, NEEDS, st.integers(0, 12), st.integers(-9, 9))
def test_lengths_that_do_not_add_up_are_a_protocol_error(bodies, needs, calls, grow):
    whole = b"".join(join_run(bodies, needs))
    payload = memoryview((whole + bytes(max(grow, 0)))[: len(whole) + grow if grow < 0 else None])
    try:
        wanted, items = split_run(payload, calls)
    except ProtocolError:
        assert calls != len(bodies) or grow != 0
        return
    # By chance another number of calls may add up too; what comes out then covers the payload.
    assert len(items) == calls
    assert 4 + DIGEST * len(wanted) + 8 * calls + sum(map(len, items)) == len(payload)


@given(st.binary(max_size=80), st.integers(0, 6))
def test_any_bytes_are_a_run_or_a_protocol_error(data, calls):
    try:
        _, items = split_run(memoryview(data), calls)
    except ProtocolError:
        return
    assert len(items) == calls


@pytest.mark.parametrize("extra", [-1, 1])
def test_one_byte_too_few_or_too_many(extra):
    whole = b"".join(join_run([b"ab", b"c"], [])) + b"!"
    with pytest.raises(ProtocolError, match="calls"):
        split_run(memoryview(whole[: len(whole) - 1 + extra]), 2)


def test_a_huge_length_does_not_overflow():
    with pytest.raises(ProtocolError):
        split_run(memoryview(struct.pack("=IQ", 0, 2**64 - 1)), 1)

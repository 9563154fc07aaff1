"""Frames: bytes may be cut anywhere, and what is no frame is refused."""

from __future__ import annotations

import ast
import os
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elsewhere.runtime.far import bundle, worker

FRAMES = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.integers(0, 255),
        st.integers(0, 2**32 - 1),
        st.one_of(st.binary(max_size=40), st.just(b"x" * 9000)),
    ),
    max_size=8,
)


@given(FRAMES, st.data())
def test_frames_cut_anywhere(frames, data):
    stream = b"".join(worker.frame(kind, payload, flags, number) for kind, flags, number, payload in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    parser, found = worker.Frames(), []
    for low, high in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += parser.feed(stream[low:high])
    assert found == frames
    assert all(type(payload) is bytes for *_, payload in found)


def test_frames_byte_by_byte():
    frames = [(1, 2, 3, b""), (4, 5, 6, b"x"), (7, 8, 9, b"y" * 9000), (12, 0, 0, b"")]
    stream = b"".join(worker.frame(kind, payload, flags, number) for kind, flags, number, payload in frames)
    parser, found = worker.Frames(), []
    for at in range(len(stream)):
        found += parser.feed(stream[at : at + 1])
    assert found == frames


@given(FRAMES, st.binary(min_size=16, max_size=64))
def test_what_is_no_frame_is_refused_or_waited_for(frames, noise):
    parser = worker.Frames(largest=1 << 20)
    parser.feed(b"".join(worker.frame(kind, payload, flags, number) for kind, flags, number, payload in frames))
    kind, _, zero, _, size = worker.HEADER.unpack(noise[:16])
    wrong = bool(zero) or not 1 <= kind <= 12 or size > 1 << 20
    if wrong:
        with pytest.raises(ValueError, match="begin no frame"):
            parser.feed(noise)
    else:
        parser.feed(noise[:16])


def test_a_claim_may_be_too_large():
    parser = worker.Frames(largest=1000)
    assert parser.feed(worker.frame(worker.VALUE, bytes(1000))) == [(worker.VALUE, 0, 0, bytes(1000))]
    with pytest.raises(ValueError, match="begin no frame"):
        parser.feed(worker.header(worker.VALUE, 1001))


def test_a_claim_takes_no_memory_and_small_pieces_cost_what_they_are():
    parser = worker.Frames()
    head = worker.header(worker.VALUE, 1 << 39)
    tracemalloc.start()
    try:
        parser.feed(head)
        assert tracemalloc.get_traced_memory()[0] < 10_000
        for _ in range(100_000):
            parser.feed(b"ab")
        assert tracemalloc.get_traced_memory()[0] < 2 * 200_000
    finally:
        tracemalloc.stop()


def test_a_large_payload_is_put_together_once():
    parser, piece = worker.Frames(), bytes(32768)
    tracemalloc.start()
    try:
        parser.feed(worker.header(worker.VALUE, 512 * len(piece)))
        for _ in range(511):
            assert parser.feed(piece) == []
        [(_, _, _, payload)] = parser.feed(piece)
        assert len(payload) == 512 * len(piece)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * len(payload)  # the pieces are one object here
    finally:
        tracemalloc.stop()


@given(st.lists(st.sampled_from([0, 10, 300_000, 700_000]), max_size=4), st.lists(st.integers(1, 400_000), min_size=1))
@settings(max_examples=30)
def test_large_payloads_are_read_to_their_place(sizes, pieces):
    frames = [(worker.RUN, 1, index, os.urandom(size)) for index, size in enumerate(sizes)]
    stream = b"".join(worker.frame(kind, payload, flags, number) for kind, flags, number, payload in frames)
    parser, found, at, turn = worker.Frames(), [], 0, 0
    while at < len(stream):
        size = pieces[turn % len(pieces)]
        turn += 1
        room = parser.room()
        if room is None:
            found += parser.feed(stream[at : at + size])
            at += size
        else:
            part = stream[at : at + min(size, len(room))]
            room[: len(part)] = part
            found += parser.filled(len(part))
            at += len(part)
    assert found == frames
    assert parser.room() is None


# ---- what is shipped -------------------------------------------------------------------------------------------------

SHIPPED = sorted(Path(worker.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_it_needs_nothing_but_the_standard_library_of_python_3_8(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        assert not [name for name in names if name.partition(".")[0] not in OLD], f"line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1


# All that they use, each there since 3.8 at least; and what is shipped with them.
OLD = {
    *(
        "__future__",
        "_thread",
        "asyncio",
        "atexit",
        "faulthandler",
        "codecs",
        "copyreg",
        "mmap",
        "collections",
        "importlib",
        "io",
        "json",
        "logging",
    ),
    *("os", "pickle", "reprlib", "select", "signal", "struct", "sys", "threading", "time", "traceback", "types"),
    *("typing", "warnings", "cloudpickle"),
}


def test_what_is_sent_is_the_source_without_comments_and_docstrings():
    sent = ast.literal_eval(zlib.decompress(bundle.payload()).decode())
    for path in SHIPPED:
        name = "elsewhere_far" if path.stem == "__init__" else f"elsewhere_far.{path.stem}"
        source, filename, is_package = sent[name]
        assert (filename, is_package) == (f"<elsewhere>/{name}", path.stem == "__init__")
        assert _code(source) == _code(path.read_text())
        assert len(source.splitlines()) == len(path.read_text().splitlines())  # lines are where they were
    whole = Path(__import__("cloudpickle").cloudpickle.__file__).read_text()
    assert ast.dump(ast.parse(sent["cloudpickle.cloudpickle"][0])) == ast.dump(ast.parse(whole))
    assert "Redistributions of source code must retain" in sent["cloudpickle.cloudpickle"][0]


def _code(source: str) -> str:
    """All that happens; a docstring, or the number that took its place, is nothing."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [
                one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
            ]
    return ast.dump(tree)


def test_it_is_small_and_the_same_each_time():
    assert len(bundle.payload()) < 30_000
    assert bundle.payload() is bundle.payload()
    words = bundle.first_words(12345)
    assert "'" not in words
    assert len(words) < 1000

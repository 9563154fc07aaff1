from __future__ import annotations

import itertools
import os
import threading
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.cli.batch import inputs as module
from elsewhere.cli.batch.inputs import Fingerprint, Given, Lines, canonical, open_inputs
from elsewhere.cli.ending import Problem, WrongUsage


@pytest.fixture
def opened(tmp_path):
    """Bytes as an open file, closed afterwards."""
    fds = []

    def open_(content, **options):
        path = tmp_path / f"list{len(fds)}"
        path.write_bytes(content)
        fds.append(os.open(path, os.O_RDONLY))
        return Lines(fds[-1], str(path), **options)

    yield open_
    for fd in fds:
        os.close(fd)


@pytest.fixture
def pipe():
    """A pipe whose writer is a thread."""
    reader, writer = os.pipe()
    threads = []

    def feed(content):
        def write():
            with open(writer, "wb") as file:
                file.write(content)

        threads.append(threading.Thread(target=write))
        threads[0].start()
        return reader

    yield feed
    threads[0].join()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\nb\n", ["a", "b"]),
        (b"a\r\n\nb c", ["a", "", "b c"]),
        (b"caf\xc3\xa9\n\xff\n", ["café", "\udcff"]),
    ],
)
def test_lines(opened, content, expected):
    assert list(opened(content)) == expected


def test_nul_bytes_part_names_with_line_breaks(opened):
    assert list(opened(b"a\nb\0c\0", null=True)) == ["a\nb", "c"]


def test_json_lines(opened):
    assert list(opened(b'{"a": [1, null]}\n\n"x"\n1.5\n', as_json=True)) == [{"a": [1, None]}, "x", 1.5]


@pytest.mark.parametrize("bad", [b"{", b"NaN", b"1e999", b"[" * 100_000])
def test_bad_json_is_named_by_its_line(opened, bad):
    with pytest.raises(WrongUsage, match=r"list0, line 2,"):
        list(opened(b"1\n" + bad + b"\n", as_json=True))


@given(st.binary(max_size=60), st.integers(1, 7))
def test_any_cut_into_chunks_gives_the_same(content, size):
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    whole = content.split(b"\n")
    assert list(module._split(chunks, b"\n")) == (whole if whole[-1] else whole[:-1])


def test_a_regular_file_is_read_as_often_as_asked(opened):
    found = opened(b"a\nb\n")
    assert found.rereadable
    assert list(zip(found, found, strict=True)) == [("a", "a"), ("b", "b")]
    assert found.survey().count == 2


def test_stdin_that_is_a_file_is_read_from_where_it_stands(opened):
    found = opened(b"header\na\n")
    os.lseek(found._fd, 7, os.SEEK_SET)
    assert list(Lines(found._fd, "stdin")) == ["a"]


def test_a_pipe_is_read_as_it_comes_or_kept(pipe):
    fd = pipe(b"a\nb\n" * 50_000)
    found = Lines(fd, "stdin")
    assert not found.rereadable
    assert list(itertools.islice(found, 0)) == []
    found.keep()
    assert found.rereadable
    assert found.survey().count == 100_000
    assert next(iter(found)) == "a"
    found.close()


def test_a_pipe_s_first_line_does_not_wait_for_the_second():
    reader, writer = os.pipe()
    os.write(writer, b"a\n")
    assert next(iter(Lines(reader, "stdin"))) == "a"
    os.close(writer)
    os.close(reader)


@pytest.mark.slow
def test_many_lines_need_no_memory(opened):
    found = opened(b"some line of text\n" * 300_000)
    tracemalloc.start()
    try:
        found.survey()
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_an_unreadable_file_is_one_sentence(tmp_path):
    with pytest.raises(WrongUsage, match="No such file"):
        open_inputs([], str(tmp_path / "none"))
    with pytest.raises(WrongUsage, match="it is a folder"):
        open_inputs([], str(tmp_path))


def test_one_source_only(tmp_path):
    with pytest.raises(WrongUsage, match="one of them has to go"):
        open_inputs(["a"], "file")
    with pytest.raises(WrongUsage, match="-0"):
        open_inputs(["a"], None, null=True)


def test_without_inputs_a_terminal_is_not_waited_for():
    leader, terminal = os.openpty()
    try:
        with pytest.raises(WrongUsage, match="There are no inputs"):
            open_inputs([], None, stdin=terminal)
    finally:
        os.close(terminal)
        os.close(leader)


def test_stdin_that_is_closed(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    os.close(fd)
    with pytest.raises(WrongUsage, match="stdin is closed"):
        open_inputs([], None, stdin=fd)


def test_a_read_that_fails_is_one_sentence(opened, tmp_path):
    found = opened(b"a\n")
    folder = os.open(tmp_path, os.O_RDONLY)
    os.dup2(folder, found._fd)
    os.close(folder)
    with pytest.raises(Problem, match="cannot be read any further"):
        list(found)


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_fingerprints_are_equal_exactly_when_lists_are(one, other):
    first, second = Given(one).survey(), Given(other).survey()
    assert (first.digest == second.digest) == (one == other)


def test_the_fingerprint_on_the_way_is_the_survey_s():
    seen = Fingerprint()
    values = ["a", "\udcff", "a\n"]
    assert list(seen.following(values)) == values
    assert (seen.count, seen.digest, seen.complete) == (3, Given(values).survey().digest, True)


def test_arguments_in_json():
    assert list(Given(["1", '"1"', "[2]"], as_json=True)) == [1, "1", [2]]
    with pytest.raises(WrongUsage, match="input 1 is not JSON"):
        Given(["1", "one"], as_json=True)
    assert canonical(1) != canonical("1")

"""Where the caller's `print` would write now, there a call's print is written, before its future is done."""

from __future__ import annotations

import contextlib
import io
import os
import sys

import pytest

from elsewhere import Pool, WorkerLost
from tests.output import prints


def test_it_is_there_when_the_result_is(pool, out):
    for number in range(300):
        assert pool.submit(prints.shout, f"line {number}").result(10) == f"line {number}"
        assert out.getvalue().endswith(f"line {number}\n")
    assert out.getvalue() == "".join(f"line {number}\n" for number in range(300))


def test_it_is_there_when_a_map_is(pool, out):
    for _ in range(10):
        assert pool.map(prints.print_then_value, range(300)) == list(range(300))
        assert sorted(out.getvalue().split()) == sorted(f"<{number}>" for number in range(0, 300, 3))
        out.seek(0)
        out.truncate()


def test_it_is_there_when_an_imap_s_result_is(pool, out):
    for value in pool.imap(prints.print_then_value, range(3000)):
        if value % 3 == 0:
            assert f"<{value}>\n" in out.getvalue()[-8000:]


def test_it_is_there_while_the_worker_goes_on(out, tmp_path):
    """A result may be seen on the page before the socket is looked at: the print must not come after it."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with Pool(1) as pool:
        pool.map(prints.identity, range(1000))
        for number in range(30):
            first = pool.submit(prints.shout, f"line {number}")
            second = pool.submit(open_and_read, str(gate))
            first.result(10)
            assert out.getvalue().endswith(f"line {number}\n")
            gate.write_text("")
            second.result(10)


def open_and_read(path):
    with open(path) as file:
        return file.read()


def test_stderr_too(pool):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        pool.map(prints.both, range(20))
    assert sorted(out.getvalue().splitlines()) == sorted(f"out {number}" for number in range(20))
    assert sorted(err.getvalue().splitlines()) == sorted(f"err {number}" for number in range(20))


def test_capsys(pool, capsys):
    pool.map(prints.both, range(3))
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == ["out 0", "out 1", "out 2"]
    assert sorted(err.splitlines()) == ["err 0", "err 1", "err 2"]


def test_capfd_gets_the_prints_and_what_programs_write(capfd):
    with Pool(1) as pool:
        pool.apply(prints.shout, ("mine",))
        pool.apply(prints.from_a_program, ("theirs",))
    assert capfd.readouterr().out == "mine\ntheirs\n"


class OnlyWrites:
    """The least a stdout may be."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


class WithoutFlush:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


@pytest.mark.parametrize("kind", [OnlyWrites, WithoutFlush])
def test_an_object_that_only_writes(pool, kind):
    stream = kind()
    with contextlib.redirect_stdout(stream):
        assert pool.map(prints.shout, ["a", "b"]) == ["a", "b"]
    assert sorted(stream.text.splitlines()) == ["a", "b"]


class Broken:
    def write(self, text):
        raise OSError("full")

    def flush(self):
        raise OSError("full")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, Broken(), closed()])
def test_a_stdout_that_takes_nothing_stops_nobody(pool, stream, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream)
    assert pool.map(prints.shout, ["a", "b"]) == ["a", "b"]


def test_each_call_s_print_goes_where_stdout_is_then(pool):
    first, second = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(first):
        pool.apply(prints.shout, ("one",))
    with contextlib.redirect_stdout(second):
        pool.apply(prints.shout, ("two",))
    assert (first.getvalue(), second.getvalue()) == ("one\n", "two\n")


# ---- what is written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "argument", "text"),
    [
        (prints.whisper, "no end", "no end"),
        (prints.in_pieces, "pieces", "pieces\n"),
        (prints.write_bytes, b"bytes\n", "bytes\n"),
        (prints.write_bytes, b"bytes without end", "bytes without end"),
        (prints.write_bytes, b"x", "x"),
        (prints.write_bytes, "Grüße\n".encode(), "Grüße\n"),
        (prints.write_bytes, b"\xff\n", "\\xff\n"),
        (prints.write_bytes, b"torn \xc3", "torn \\xc3"),
        (prints.write_bytes_one_by_one, "Grüße, 世界\n".encode(), "Grüße, 世界\n"),
        (prints.write_lines, ["a\n", "b\n", "c"], "a\nb\nc"),
        (prints.shout, "Grüße, 世界 🎉", "Grüße, 世界 🎉\n"),
        (prints.shout, "lone \udcff here", "lone \udcff here\n"),
        (prints.shout, "", "\n"),
        (prints.whisper, "", ""),
        (prints.whisper, "bar 10%\rbar 20%\r", "bar 10%\rbar 20%\r"),
        (prints.shout, "x" * 1_000_000, "x" * 1_000_000 + "\n"),
        (prints.shout, "line\n" * 200_000, "line\n" * 200_000 + "\n"),
        (prints.from_a_thread_without_end, "from a thread", "from a thread"),
        (prints.shout_async, "async", "async\n"),
    ],
)
def test_text(pool, out, function, argument, text):
    pool.submit(function, argument).result(10)
    assert out.getvalue() == text


def test_several_who_write_without_an_end(pool, out):
    pool.map(prints.whisper, ["abc"] * 100)
    assert out.getvalue() == "abc" * 100


def test_lines_of_threads_are_whole(pool, out):
    pool.map(prints.from_threads, [4, 4])
    lines = out.getvalue().splitlines()
    assert len(lines) == 2 * 4 * 200
    assert {(len(line), len(set(line))) for line in lines} == {(22, 1)}


def test_it_is_there_when_the_error_is(pool, out):
    with pytest.raises(ValueError, match="why"):
        pool.apply(prints.say_and_raise, ("why",))
    assert out.getvalue() == "why"


def test_the_last_words_of_a_call_that_ends_its_worker(pool, out):
    with pytest.raises(WorkerLost):
        pool.apply(prints.say_and_die, ("last words",))
    assert out.getvalue() == "last words\n"


def test_in_the_initializer(out):
    with Pool(2, prints.start_quietly) as pool:
        pool.map(prints.shout, range(3))
    assert sorted(out.getvalue().splitlines()) == ["0", "1", "2", "started", "started"]


def test_in_atexit_handlers(out):
    with Pool(1) as pool:
        pool.apply(prints.say_at_exit, ("good-bye",))
        assert out.getvalue() == ""
    assert out.getvalue() == "good-bye\n"


def test_what_a_library_asks_of_the_stream(pool):
    assert pool.apply(prints.say_in_full, (0,)) == (False, True, False, 1, "utf-8", "<stdout>", False, True)


def test_writing_something_else_is_an_error(pool):
    with pytest.raises(TypeError, match="must be str, not bytes"):
        pool.apply(write_wrongly)


def write_wrongly():
    sys.stdout.write(b"bytes")


def test_an_ascii_stdout_gets_what_it_can_hold(pool):
    raw = io.BytesIO()
    with contextlib.redirect_stdout(io.TextIOWrapper(raw, "ascii")):
        pool.apply(prints.shout, ("Grüße \udcff",))
        sys.stdout.flush()
        assert raw.getvalue() == b"Gr\\xfc\\xdfe \\udcff\n"

"""Whatever stopped a run, the next one with --resume ends with exactly one row for each input."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elsewhere.cli.batch.inputs import Given, Lines
from elsewhere.cli.batch.output import claim
from elsewhere.cli.batch.resume import Record, read_rows
from elsewhere.cli.ending import WrongUsage
from tests.cli.helpers import Inline, PulledPlug, rows, run

FUSSY = "tests.cli.sample:fussy"
texts = st.lists(st.sampled_from(["a", "b", "bad", "é\u2028", "\udcff", "a\0"]) | st.text(max_size=3), max_size=12)


def check(path, inputs):
    """One row for each input, and each as a run without incident would have written it."""
    found = rows(path)
    assert sorted(row["index"] for row in found) == list(range(len(inputs)))
    for row in found:
        text = row["input"]
        assert text == inputs[row["index"]]
        if "bad" in text:
            assert row["error"]["type"] == "ValueError"
            assert row["error"]["message"] == f"no {text} here"
        else:
            assert row["value"] == text.upper()


@pytest.fixture
def out(tmp_path):
    return str(tmp_path / "out.jsonl")


@given(texts, st.data())
@settings(max_examples=150, deadline=None)
def test_a_cut_at_any_byte_is_made_good(inputs, data):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.jsonl")
        failures = run(FUSSY, inputs, output=out)
        check(out, inputs)
        whole = Path(out).read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        os.truncate(out, cut)
        if data.draw(st.booleans(), "the record is lost"):
            os.unlink(Record.path(out))
        assert run(FUSSY, inputs, output=out, resume=True, retry_failed=data.draw(st.booleans())) == failures
        check(out, inputs)
        assert set(os.listdir(folder)) == {"out.jsonl", "out.jsonl.run"}


@given(texts, st.lists(st.integers(0, 12), max_size=4), st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_number_of_pulled_plugs_is_made_good(inputs, plugs, retry):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.jsonl")
        made = 0
        for plug in plugs:
            engine = Inline(plug=plug)
            with contextlib.suppress(PulledPlug):
                run(FUSSY, inputs, engine, output=out, resume=True, retry_failed=retry)
            made += engine.made
        engine = Inline()
        run(FUSSY, inputs, engine, output=out, resume=True)
        check(out, inputs)
        assert retry or made + engine.made == len(inputs)  # nothing was called twice


@given(texts.filter(bool), st.data())
@settings(max_examples=50, deadline=None)
def test_pages_that_a_power_cut_lost_are_made_good(inputs, data):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.jsonl")
        run(FUSSY, inputs, output=out)
        whole = bytearray(Path(out).read_bytes())
        start = data.draw(st.integers(0, len(whole) - 1))
        end = data.draw(st.integers(start + 1, len(whole)))
        whole[start:end] = bytes(end - start)
        Path(out).write_bytes(whole)
        run(FUSSY, inputs, output=out, resume=True)
        check(out, inputs)


def test_only_what_is_missing_is_called(out):
    run(FUSSY, list("abcdef"), output=out)
    lines = Path(out).read_bytes().splitlines(keepends=True)
    Path(out).write_bytes(b"".join(lines[:2] + lines[4:]))
    engine = Inline()
    run(FUSSY, list("abcdef"), engine, output=out, resume=True)
    assert engine.made == 2
    found = set(Path(out).read_bytes().splitlines(keepends=True))
    assert set(lines[:2] + lines[4:]) <= found
    check(out, list("abcdef"))


def test_equal_inputs_are_told_apart_by_index(out):
    engine = Inline(plug=3)
    with pytest.raises(PulledPlug):
        run(FUSSY, ["a"] * 5, engine, output=out)
    run(FUSSY, ["a"] * 5, Inline(), output=out, resume=True)
    check(out, ["a"] * 5)


def test_resume_of_nothing_is_a_start(out):
    assert run(FUSSY, ["a"], output=out, resume=True) == 0
    check(out, ["a"])


def test_no_worker_is_started_for_nothing(out, capfd):
    run(FUSSY, ["a", "bad"], output=out)
    capfd.readouterr()

    def engine(jobs, timeout, retries):
        raise AssertionError("it was made")

    assert run(FUSSY, ["a", "bad"], engine, output=out, resume=True) == 1
    assert capfd.readouterr().err == "elsewhere: 1 row of an earlier run failed: --retry-failed runs them again.\n"
    with pytest.raises(AssertionError, match="it was made"):
        run(FUSSY, ["a", "bad"], engine, output=out, retry_failed=True)


def test_failures_count_until_they_are_retried(out, tmp_path):
    function, marker = "tests.cli.sample:failing_unless", str(tmp_path / "now")
    inputs = [f"{marker}|{text}" for text in ("x", "bad", "y")]
    assert run(function, inputs, output=out) == 1
    assert run(function, inputs, Inline(plug=0), output=out, resume=True) == 1  # nothing is called
    Path(marker).touch()
    engine = Inline()
    assert run(function, inputs, engine, output=out, retry_failed=True) == 0
    assert engine.made == 1
    assert sorted(row["value"] for row in rows(out)) == ["bad", "x", "y"]


@pytest.mark.parametrize("done", [2, 3])
@pytest.mark.parametrize("other", [["a", "b", "x"], ["a", "b"], ["a", "b", "c", "d"], ["b", "a", "c"]])
def test_another_list_is_refused(out, done, other):
    with contextlib.suppress(PulledPlug):
        run(FUSSY, ["a", "b", "c"], Inline(window=1, plug=done), output=out)
    before = Path(out).read_bytes()
    with pytest.raises(WrongUsage, match="another list of inputs"):
        run(FUSSY, other, output=out, resume=True)
    assert Path(out).read_bytes() == before


@pytest.mark.parametrize("other", [["a", "x", "c"], ["a"]])
def test_another_list_is_refused_by_the_rows_alone(out, other):
    run(FUSSY, ["a", "b", "c"], output=out)
    os.unlink(Record.path(out))
    with pytest.raises(WrongUsage, match="another list"):
        run(FUSSY, other, output=out, resume=True)


def test_another_function_is_refused_even_of_a_finished_run(out):
    run(FUSSY, ["a"], output=out)
    with pytest.raises(WrongUsage, match=r"another function, tests.cli.sample:fussy, not of tests.cli.sample:same"):
        run("tests.cli.sample:same", ["a"], output=out, resume=True)


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"{}",
        b"[]",
        b"",
        b'{"index": "0", "input": "a", "value": 1}',
        b'{"index": 0, "input": "a"}',
        b'{"index": 0, "input": "a", "value": 1, "error": 2}',
        b"\xff",
    ],
)
def test_a_line_that_is_no_row_is_refused(out, line):
    run(FUSSY, ["a", "b"], output=out)
    first, second = Path(out).read_bytes().splitlines(keepends=True)
    Path(out).write_bytes(first + line + b"\n" + second)
    with pytest.raises(WrongUsage, match=r"out\.jsonl, line 2, is not a row"):
        run(FUSSY, ["a", "b"], output=out, resume=True)


@pytest.mark.parametrize("index", [-1, 2, 10**18])
def test_a_row_of_no_input_is_refused(out, index):
    survey = Given(["a", "b"]).survey(marks=True)
    Path(out).write_text(json.dumps({"index": index, "input": "a", "value": 1}) + "\n")
    with pytest.raises(WrongUsage, match="but there are 2 inputs"):
        read_rows(out, survey)


def test_a_second_row_of_an_input_goes(out):
    run(FUSSY, ["a"], output=out)
    line = Path(out).read_bytes()
    Path(out).write_bytes(line * 3)
    run(FUSSY, ["a"], output=out, resume=True)
    assert Path(out).read_bytes() == line


def test_a_record_that_says_nothing_is_refused(out):
    run(FUSSY, ["a"], output=out)
    Path(Record.path(out)).write_text("{")
    with pytest.raises(WrongUsage, match="delete it to resume"):
        run(FUSSY, ["a"], output=out, resume=True)


def test_an_existing_file_is_not_touched_unasked(out):
    run(FUSSY, ["a"], output=out)
    with pytest.raises(WrongUsage, match="exists already: --resume goes on"):
        run(FUSSY, ["a"], output=out)
    with pytest.raises(WrongUsage, match="one of them has to go"):
        run(FUSSY, ["a"], output=out, overwrite=True, resume=True)
    run("tests.cli.sample:same", ["b"], output=out, overwrite=True)
    assert rows(out)[0]["value"] == "b"
    assert run("tests.cli.sample:same", ["b"], output=out, resume=True) == 0


def test_inputs_are_not_overwritten_by_rows(out):
    Path(out).write_bytes(b"a\n")
    fd = os.open(out, os.O_RDONLY)
    try:
        with pytest.raises(WrongUsage, match="holds the inputs"):
            run(FUSSY, Lines(fd, out), output=out, overwrite=True)
    finally:
        os.close(fd)


def test_a_link_stays_a_link(out, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(out)
    run(FUSSY, ["a", "bad"], output=str(link))
    run(FUSSY, ["a", "bad"], output=str(link), retry_failed=True)
    assert link.is_symlink()
    check(out, ["a", "bad"])


def test_a_file_in_use_is_refused(out):
    fd = claim(out)
    try:
        with pytest.raises(WrongUsage, match="Another command is writing"):
            run(FUSSY, ["a"], output=out)
    finally:
        os.close(fd)


def test_a_conversion_once_found_out_holds_for_the_rest_of_the_run(out):
    with pytest.raises(PulledPlug):
        run("tests.cli.sample:negated", ["1", "2.5", "3"], Inline(plug=2), output=out)
    # asked again, the string "2.5" would give the same; the record makes sure
    assert Record.load(out).conversion == "number"
    run("tests.cli.sample:negated", ["1", "2.5", "3"], output=out, resume=True)
    assert sorted(row["value"] for row in rows(out)) == [-3, -2.5, -1]


def test_a_pipe_s_list_is_remembered_when_it_has_ended(out):
    def go(content, **options):
        reader, writer = os.pipe()
        os.write(writer, content)
        os.close(writer)
        inputs = Lines(reader, "stdin")
        try:
            return run(FUSSY, inputs, output=out, **options)
        finally:
            inputs.close()

    assert go(b"a\nb\n") == 0
    assert Record.load(out).inputs == 2
    os.truncate(out, 5)
    with pytest.raises(WrongUsage, match="there were 2, now there are 3"):
        go(b"a\nb\nc\n", resume=True)
    assert go(b"a\nb\n", resume=True) == 0
    check(out, ["a", "b"])

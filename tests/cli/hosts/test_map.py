"""``elsewhere map`` on hosts: the same rows, from interpreters that have nothing of ours."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.helpers import lines, rows, until
from tests.cli.hosts.helpers import Here, Home

SENT = "tests.cli.hosts.sent"
FILE = """
import time, helper

def double(x: int):
    return helper.twice(x)

def fussy(text):
    if text == "wait":
        time.sleep(60)
    return text
"""


@pytest.fixture
def work(home: Home) -> Path:
    (home.work / "measure.py").write_text(FILE)
    (home.work / "helper.py").write_text("def twice(x):\n    return 2 * x\n")
    return home.work


def rows_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def found(here: Here, function: str, *args: str) -> list[dict[str, Any]]:
    ended = here("map", f"{SENT}:{function}", *args)
    assert ended.returncode == 0, ended.stderr
    return rows_of(ended.stdout)


def values(here: Here, function: str, *args: str) -> list[Any]:
    return [row["value"] for row in found(here, function, *args)]


@pytest.mark.usefixtures("work")
class TestRows:
    def test_they_are_those_of_processes(self, home: Home) -> None:
        """A function of a file that imports its neighbour."""
        args = ("map", "measure.py:double", "3", "5", "8", "-q")
        there, here = home.shell(*args, "-H", "web1,web2"), home.shell(*args)
        assert there.returncode == here.returncode == 0, there.stderr
        for one, other in zip(rows_of(there.stdout), rows_of(here.stdout), strict=True):
            assert one | {"seconds": 0} == other | {"seconds": 0}
            assert 0 <= one["seconds"] < 50

    def test_calls_run_in_other_interpreters_and_j_is_how_many_there_are(self, here: Here) -> None:
        pids = {row["pid"] for row in values(here, "where", *"12345678", "-H", "web1,web2", "-j", "2", "-q")}
        assert 1 <= len(pids) <= 2
        assert os.getpid() not in pids

    def test_values_of_the_callers_classes_and_text(self, here: Here) -> None:
        assert values(here, "size", "abc", "-H", "web1", "-q") == [{"text": "abc", "length": 3}]
        ended = here("map", f"{SENT}:odd", "a", "--text", "-q", "-H", "web1")
        assert ended.stdout.startswith(f"<{SENT}.Odd object at")

    def test_numbers_are_found_out_by_the_first_call(self, here: Here) -> None:
        ended = here("map", f"{SENT}:number", "1", "2.5", "-H", "web1")
        assert [row["value"] for row in rows_of(ended.stdout)] == [2, 3.5]
        assert "takes no text" in ended.stderr

    def test_coroutines_are_awaited_and_builtins_are_called(self, here: Here) -> None:
        assert values(here, "later", "4", "-H", "web1", "-q") == [4]
        assert rows_of(here("map", "math:sqrt", "4", "-H", "web1", "-q").stdout)[0]["value"] == 2.0

    def test_what_functions_print_goes_to_stderr_with_the_host_before_it(self, here: Here) -> None:
        ended = here("map", f"{SENT}:prints", "1", "-H", "web1", "-q")
        assert [row["value"] for row in rows_of(ended.stdout)] == [1]
        assert "[web1] printed 1\n" in ended.stderr
        assert "[web1] from a shell\n" in ended.stderr

    def test_an_input_that_is_no_number_fails_alone_and_in_its_turn(self, here: Here) -> None:
        ended = here("map", f"{SENT}:double", "1", "x", "3", "-H", "web1", "-q")
        assert ended.returncode == 1
        one, two, three = rows_of(ended.stdout)
        assert (one["value"], three["value"]) == (2, 6)
        assert (two["error"]["type"], two["input"]) == ("ValueError", "x")


class TestFailures:
    def test_what_the_function_raises_is_a_row_with_its_own_traceback(self, here: Here) -> None:
        args = ("map", f"{SENT}:fussy", "a", "bad", "exit", "-q")
        there, local = here(*args, "-H", "web1"), here(*args)
        assert there.returncode == local.returncode == 1
        for one, other in zip(rows_of(there.stdout), rows_of(local.stdout), strict=True):
            assert one | {"seconds": 0} == other | {"seconds": 0}
        assert "ValueError: it is bad" in there.stderr

    def test_an_interpreter_that_dies_costs_its_call(self, here: Here) -> None:
        ended = here("map", f"{SENT}:fussy", "a", "die", "b", "-H", "web1", "-j", "1", "-q")
        one, two, three = rows_of(ended.stdout)
        assert (one["value"], three["value"]) == ("a", "b")
        assert two["error"]["type"] == "elsewhere.WorkerLost"
        assert "web1" in two["error"]["message"]
        assert "SIGKILL" in two["error"]["message"]
        assert "while it ran this call" in two["error"]["message"]

    def test_a_call_that_takes_too_long_is_ended_and_one_that_fails_is_repeated(self, here: Here) -> None:
        ended = here("map", f"{SENT}:fussy", "wait", "bad", "--timeout", "0.5", "--retries", "1", "-H", "web1", "-q")
        one, two = rows_of(ended.stdout)
        assert one["error"]["type"] == "elsewhere.CallTimeout"
        assert (two["error"]["type"], two["attempt"]) == ("ValueError", 2)

    def test_a_value_that_is_not_opened_fails_and_says_so(self, here: Here) -> None:
        (row,) = rows_of(here("map", f"{SENT}:opaque", "a", "-H", "web1", "-q").stdout)
        assert row["error"]["type"] == "re._compile"
        assert "not opened" in row["error"]["message"]

    def test_a_value_that_json_cannot_hold_ends_the_run_as_ever(self, here: Here) -> None:
        ended = here("map", f"{SENT}:odd", "a", "-H", "web1", "-q")
        assert ended.returncode == 1
        assert f"returned a value of type {SENT}.Odd" in ended.stderr

    def test_a_host_that_is_not_there_is_left_out(self, here: Here) -> None:
        ended = here("map", f"{SENT}:double", "1", "2", "-H", "web1,none5")
        assert ended.returncode == 0
        assert "elsewhere: none5 is left out: " in ended.stderr

    def test_when_no_host_is_there_no_input_has_a_row(self, here: Here) -> None:
        ended = here("map", f"{SENT}:double", "1", "2", "-H", "none5", "-q", "-o", "rows.jsonl")
        assert ended.returncode == 1
        assert "none5" in ended.stderr
        assert "--resume" in ended.stderr
        assert rows("rows.jsonl") == []


class TestRuns:
    def test_a_run_that_was_stopped_goes_on(self, home: Home, work: Path) -> None:
        output = work / "rows.jsonl"
        inputs = ["a", "b", "c", "wait", "d"]
        args = ("map", "measure.py:fussy", *inputs, "-o", "rows.jsonl", "-H", "web1", "-q")
        with home.started(*args, "-j", "1") as started:
            until(lambda: lines(output) == 3)
            started.process.send_signal(signal.SIGINT)
            assert started.end() == 130
            assert b"--resume" in started.said
            assert b"-H web1" in started.said
        (work / "measure.py").write_text(FILE.replace("time.sleep(60)", "pass"))
        ended = home.shell(*args, "--resume")
        assert ended.returncode == 0, ended.stderr
        assert sorted(row["value"] for row in rows(output)) == sorted(inputs)

    def test_a_dry_run_connects_to_none(self, here: Here) -> None:
        ended = here("map", "-n", "math:sqrt", "1", "-H", "web1,none5")
        assert ended.returncode == 0
        assert "web1   " in ended.stdout
        assert "127.15.0.5" in ended.stdout
        ended = here("map", "-n", "math:sqrt", "1", "--where", "threads")
        assert "where     threads" in ended.stdout

    def test_threads_are_a_place_too(self, here: Here) -> None:
        assert values(here, "double", "1", "2", "--where", "threads", "-q") == [2, 4]
        assert values(here, "double", "1", "--where", "processes", "-q") == [2]
        ended = here("map", f"{SENT}:fussy", "bad", "--where", "threads", "-q")
        assert rows_of(ended.stdout)[0]["error"]["type"] == "ValueError"

    def test_what_is_printed_in_threads_is_not_between_the_rows(self, here: Here) -> None:
        ended = here("map", f"{SENT}:says", "1", "--where", "threads", "-q")
        assert [row["value"] for row in rows_of(ended.stdout)] == [1]
        assert "printed 1" in ended.stderr


class TestUsage:
    @pytest.mark.parametrize(
        ("args", "says"),
        [
            (["--where", "moon"], "--where is processes, threads, dask"),
            (["--where", "dask://"], "--where is processes, threads, dask"),
            (["--where", "threads", "-H", "web1"], "two places"),
            (["-u", "me"], "No host is named"),
            (["-H", "web1", "-x", "web1"], "No host is left"),
            (["-H", "web1", "-j", "99"], "-j 99 is more than"),
            (["-i", "nowhere", "-H", "web1"], "nowhere cannot be read"),
        ],
    )
    def test_what_cannot_be_meant_is_said_at_once(self, here: Here, args: list[str], says: str) -> None:
        ended = here("map", "math:sqrt", "1", *args)
        assert ended.returncode == 2, ended.stderr
        assert says in ended.stderr

    def test_hosts_and_inputs_are_not_both_stdin(self, home: Home) -> None:
        ended = home.shell("map", "math:sqrt", "-H", "@-", stdin=b"web1\n")
        assert ended.returncode == 2
        assert "both come from stdin" in ended.stderr

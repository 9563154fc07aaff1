"""``elsewhere map`` on hosts: the same rows, from interpreters that have nothing of ours."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.cli.helpers import lines, rows, until
from tests.cli.hosts.helpers import Here, Home

WORK = """
import dataclasses, os, platform, time, helper

@dataclasses.dataclass
class Size:
    text: str
    length: int

def double(x: int):
    return helper.twice(x)

def where(x: int):
    return {"pid": os.getpid(), "x": x}

def size(text):
    return Size(text, len(text))

def number(x):
    return x + 1

async def later(x: int):
    return x

def prints(x: int):
    print("printed", x)
    os.system("echo from a shell")
    return x

def fussy(text):
    if text == "bad":
        raise ValueError("it is bad")
    if text == "exit":
        raise SystemExit(3)
    if text == "die":
        os.kill(os.getpid(), 9)
    if text == "wait":
        time.sleep(60)
    return text

def opaque(text):
    return __import__("re").compile(text)

class Odd:
    pass

def odd(text):
    return Odd()
"""


@pytest.fixture
def work(home: Home) -> Path:
    (home.work / "measure.py").write_text(WORK)
    (home.work / "helper.py").write_text("def twice(x):\n    return 2 * x\n")
    return home.work


def found(home: Home, *args: str, **more) -> list[dict]:
    ended = home.shell("map", *args, **more)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def values(home: Home, *args: str) -> list:
    return [row["value"] for row in found(home, *args)]


@pytest.mark.usefixtures("work")
class TestRows:
    def test_they_are_those_of_processes(self, home: Home) -> None:
        """A function of a file that imports its neighbour."""
        args = ("measure.py:double", "3", "5", "8", "-q")
        there, here = found(home, *args, "-H", "web1,web2"), found(home, *args)
        for one, other in zip(there, here, strict=True):
            assert one | {"seconds": 0} == other | {"seconds": 0}
            assert 0 <= one["seconds"] < 5

    def test_calls_run_in_other_interpreters_and_j_is_how_many_there_are(self, home: Home) -> None:
        pids = {row["pid"] for row in values(home, "measure.py:where", *"12345678", "-H", "web1,web2", "-j", "2", "-q")}
        assert 1 <= len(pids) <= 2

    def test_values_of_the_callers_classes_and_text(self, home: Home) -> None:
        assert values(home, "measure.py:size", "abc", "-H", "web1", "-q") == [{"text": "abc", "length": 3}]
        ended = home.shell("map", "measure.py:odd", "a", "--text", "-q", "-H", "web1")
        assert ended.stdout.startswith("<measure.Odd object at")

    def test_numbers_are_found_out_by_the_first_call(self, home: Home) -> None:
        ended = home.shell("map", "measure.py:number", "1", "2.5", "-H", "web1")
        assert [json.loads(line)["value"] for line in ended.stdout.splitlines()] == [2, 3.5]
        assert "takes no text" in ended.stderr

    def test_coroutines_are_awaited_and_builtins_are_called(self, home: Home) -> None:
        assert values(home, "measure.py:later", "4", "-H", "web1", "-q") == [4]
        assert values(home, "math:sqrt", "4", "-H", "web1", "-q") == [2.0]

    def test_what_functions_print_goes_to_stderr_with_the_host_before_it(self, home: Home) -> None:
        ended = home.shell("map", "measure.py:prints", "1", "-H", "web1", "-q")
        assert [json.loads(line)["value"] for line in ended.stdout.splitlines()] == [1]
        assert "[web1] printed 1\n" in ended.stderr
        assert "[web1] from a shell\n" in ended.stderr

    def test_an_input_that_is_no_number_fails_alone_and_in_its_turn(self, home: Home) -> None:
        ended = home.shell("map", "measure.py:double", "1", "x", "3", "-H", "web1", "-q")
        assert ended.returncode == 1
        one, two, three = map(json.loads, ended.stdout.splitlines())
        assert (one["value"], three["value"]) == (2, 6)
        assert two["error"]["type"] == "ValueError"
        assert two["input"] == "x"


@pytest.mark.usefixtures("work")
class TestFailures:
    def test_what_the_function_raises_is_a_row_with_its_own_traceback(self, home: Home) -> None:
        args = ("measure.py:fussy", "a", "bad", "exit", "-q")
        there, here = home.shell("map", *args, "-H", "web1"), home.shell("map", *args)
        assert there.returncode == here.returncode == 1
        for one, other in zip(
            map(json.loads, there.stdout.splitlines()), map(json.loads, here.stdout.splitlines()), strict=True
        ):
            assert one | {"seconds": 0} == other | {"seconds": 0}
        assert '"it is bad"' not in there.stderr
        assert "ValueError: it is bad" in there.stderr

    def test_an_interpreter_that_dies_costs_its_call(self, home: Home) -> None:
        ended = home.shell("map", "measure.py:fussy", "a", "die", "b", "-H", "web1", "-j", "1", "-q")
        one, two, three = map(json.loads, ended.stdout.splitlines())
        assert (one["value"], three["value"]) == ("a", "b")
        assert two["error"]["type"] == "elsewhere.WorkerLost"
        assert "web1" in two["error"]["message"]
        assert "SIGKILL" in two["error"]["message"]
        assert "while it ran this call" in two["error"]["message"]

    def test_a_call_that_takes_too_long_is_ended_and_one_that_fails_is_repeated(self, home: Home) -> None:
        ended = home.shell(
            "map", "measure.py:fussy", "wait", "bad", "--timeout", "1", "--retries", "1", "-H", "web1", "-q"
        )
        one, two = map(json.loads, ended.stdout.splitlines())
        assert one["error"]["type"] == "elsewhere.CallTimeout"
        assert (two["error"]["type"], two["attempt"]) == ("ValueError", 2)

    def test_a_value_that_is_not_opened_fails_and_says_so(self, home: Home) -> None:
        ended = home.shell("map", "measure.py:opaque", "a", "-H", "web1", "-q")
        (row,) = map(json.loads, ended.stdout.splitlines())
        assert row["error"]["type"] == "re._compile"
        assert "not opened" in row["error"]["message"]

    def test_a_value_that_json_cannot_hold_ends_the_run_as_ever(self, home: Home) -> None:
        ended = home.shell("map", "measure.py:odd", "a", "-H", "web1", "-q")
        assert ended.returncode == 1
        assert "returned a value of type measure.Odd" in ended.stderr

    def test_a_host_that_is_not_there_is_left_out(self, home: Home) -> None:
        ended = home.shell("map", "measure.py:double", "1", "2", "-H", "web1,none5")
        assert ended.returncode == 0
        assert "none5" in ended.stderr
        alone = home.shell("map", "measure.py:double", "1", "-H", "none5", "-q")
        assert alone.returncode == 1
        assert "none5" in alone.stderr
        assert alone.stdout == ""


@pytest.mark.usefixtures("work")
class TestRuns:
    def test_a_run_that_was_stopped_goes_on(self, home: Home) -> None:
        output = home.work / "rows.jsonl"
        inputs = ["a", "b", "c", "wait", "d"]
        with home.started(
            "map", "measure.py:fussy", *inputs, "-o", "rows.jsonl", "-H", "web1", "-j", "1", "-q"
        ) as started:
            until(lambda: lines(output) == 3)
            started.process.send_signal(signal.SIGINT)
            assert started.end() == 130
            assert b"--resume" in started.said
            assert b"-H web1" in started.said
        (home.work / "measure.py").write_text(WORK.replace("time.sleep(60)", "pass"))
        ended = home.shell("map", "measure.py:fussy", *inputs, "-o", "rows.jsonl", "-H", "web1", "--resume", "-q")
        assert ended.returncode == 0, ended.stderr
        assert sorted(row["value"] for row in rows(output)) == sorted(inputs)

    def test_a_dry_run_connects_to_none(self, here: Here) -> None:
        ended = here("map", "-n", "math:sqrt", "1", "-H", "web1,none5")
        assert ended.returncode == 0
        assert "web1   " in ended.stdout
        assert "127.15.0.5" in ended.stdout
        ended = here("map", "-n", "math:sqrt", "1", "--where", "threads")
        assert "where     threads" in ended.stdout

    def test_threads_are_a_place_too(self, home: Home) -> None:
        ended = home.shell("map", "measure.py:double", "1", "2", "--where", "threads", "-q")
        assert [json.loads(line)["value"] for line in ended.stdout.splitlines()] == [2, 4]
        ended = home.shell("map", "measure.py:fussy", "bad", "--where", "threads", "-q")
        assert json.loads(ended.stdout)["error"]["type"] == "ValueError"
        assert values(home, "measure.py:double", "1", "--where", "processes", "-q") == [2]


@pytest.mark.usefixtures("work")
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
        ended = home.shell("map", "measure.py:double", "-H", "@-", stdin=b"web1\n")
        assert ended.returncode == 2
        assert "both come from stdin" in ended.stderr

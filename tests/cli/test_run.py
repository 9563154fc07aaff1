"""One run, its calls made in this process: what is written, in what order, and what is said."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

import pytest

from elsewhere.cli.batch.inputs import Given, Inputs
from elsewhere.cli.batch.job import Answer, Failed, Job, Refused, Task
from elsewhere.cli.batch.summary import Failure, Tally
from elsewhere.cli.ending import Problem, Signals, Stopped
from elsewhere.cli.function.convert import ASK, TEXT
from elsewhere.cli.function.target import Target
from elsewhere.errors import CallTimeout, WorkerLost
from tests.cli.helpers import Inline, rows, run

HERE = "tests.cli.sample"


def printed(capfd):
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


class TestRows:
    def test_are_printed_in_the_order_of_the_inputs(self, capfd):
        assert run(f"{HERE}:double", ["3", "4"]) == 0
        found = printed(capfd)
        assert all(0 <= row.pop("seconds") < 30 for row in found)
        assert found == [
            {"index": 0, "input": "3", "value": 6, "attempt": 1},
            {"index": 1, "input": "4", "value": 8, "attempt": 1},
        ]

    def test_are_printed_as_they_come_if_asked(self, capfd):
        run(f"{HERE}:double", ["3", "4"], unordered=True)
        assert [row["index"] for row in printed(capfd)] == [1, 0]

    def test_go_to_a_file_as_they_come(self, tmp_path, capfd):
        run(f"{HERE}:double", ["3", "4"], output=str(tmp_path / "out"))
        assert [row["index"] for row in rows(tmp_path / "out")] == [1, 0]
        assert capfd.readouterr().out == ""

    def test_are_values_only_with_text(self, capfd, tmp_path):
        assert run(f"{HERE}:fussy", ["a", "bad", "\udcff"], as_text=True) == 1
        out, err = capfd.readouterr()
        assert out.encode("utf-8", "surrogateescape")[:2] == b"A\n"
        assert out.count("\n") == 2
        assert "input 1, 'bad': ValueError: no bad here" in err
        out = tmp_path / "out"
        run(f"{HERE}:fussy", ["a", "b"], as_text=True, output=str(out))
        assert out.read_bytes() == b"A\nB\n"
        run(f"{HERE}:fussy", ["c"], as_text=True, output=str(out), overwrite=True)
        assert out.read_bytes() == b"C\n"
        assert os.listdir(tmp_path) == ["out"]

    def test_of_failures_say_what_and_where(self, capfd):
        assert run(f"{HERE}:fussy", ["bad"]) == 1
        error = printed(capfd)[0]["error"]
        assert (error["type"], error["message"]) == ("ValueError", "no bad here")
        assert error["traceback"].splitlines()[1].endswith("in fussy")  # ours are left out

    def test_of_what_cannot_be_converted(self, capfd):
        assert run(f"{HERE}:double", ["x"]) == 1
        assert printed(capfd)[0]["error"]["message"] == "invalid literal for int() with base 10: 'x'"


class TestAsking:
    def test_a_function_that_takes_no_text_gets_numbers_from_the_first_call_on(self, capfd):
        assert run("math:sqrt", ["1", "4", "9"]) == 0
        assert [row["value"] for row in printed(capfd)] == [1, 2, 3]

    def test_a_function_that_takes_text_gets_text(self, capfd):
        engine = Inline()
        run(f"{HERE}:kind", ["1", "x"], engine)
        assert [row["value"] for row in printed(capfd)] == ["str", "str"]
        assert engine.made == 2  # the one that was asked is not made twice

    def test_the_first_input_decides(self, capfd):
        run(f"{HERE}:negated", ["x", "4"])
        assert [row["error"]["type"] for row in printed(capfd)] == ["TypeError", "TypeError"]

    def test_no_input_no_question(self, capfd):
        assert run("math:sqrt", []) == 0
        assert capfd.readouterr().out == ""


class TestEndings:
    def test_a_type_that_json_cannot_hold_stops_the_run(self, tmp_path):
        engine = Inline(window=1)
        with pytest.raises(Problem, match=r"sample.raw returned a value of type bytes for input 0 \('a'\)"):
            run(f"{HERE}:raw", ["a", "b", "c"], engine, output=str(tmp_path / "out"))
        assert engine.made == 1
        assert rows(tmp_path / "out") == []

    def test_enough_failures_stop_the_run(self, capfd, tmp_path):
        out = str(tmp_path / "out")
        inputs = ["bad"] * 4
        assert run(f"{HERE}:fussy", inputs, Inline(window=1), output=out, max_failures=2) == 1
        err = capfd.readouterr().err
        assert "stopped, as --max-failures asks, after 2 of 4 rows. To go on: AGAIN" in err
        assert len(rows(out)) == 2
        assert run(f"{HERE}:fussy", inputs, output=out, resume=True) == 1
        assert len(rows(out)) == 4

    def test_the_summary_is_by_error(self, capfd):
        run(f"{HERE}:fussy", ["bad", "a", "bad 2"])
        assert capfd.readouterr().err.splitlines() == [
            "elsewhere: 2 of 3 calls failed:",
            "  2 × ValueError: no bad here (first: input 0, 'bad')",
        ]

    def test_an_input_that_cannot_be_read_ends_the_run(self, tmp_path):
        class Breaking(Inputs):
            rereadable = False

            def __iter__(self):
                yield "a"
                raise Problem("the tape tore.")

        with pytest.raises(Problem, match=r"the tape tore\. To go on: AGAIN"):
            run(f"{HERE}:fussy", Breaking(), Inline(window=1), output=str(tmp_path / "out"))
        assert len(rows(tmp_path / "out")) == 1

    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
    def test_a_signal_ends_the_run_between_rows(self, tmp_path, capfd, name):
        number = getattr(signal, name)

        class Struck(Signals):
            """The signal comes while the second row is written."""

            def held(self):
                self.times = getattr(self, "times", 0) + 1
                if self.times == 2:
                    self._holding = True
                    os.kill(os.getpid(), number)
                return super().held()

        out = tmp_path / "out"
        from elsewhere.cli.batch.destination import Wish
        from elsewhere.cli.batch.run import Plan, Run

        plan = Plan(Target.parse(f"{HERE}:fussy"), TEXT, Wish(output=str(out)), "AGAIN", quiet=True)
        with Struck() as signals, pytest.raises(Stopped) as caught:
            Run(plan, Given(["a"] * 9), signals, Inline()).run()
        assert caught.value.exit_code == 128 + number
        assert len(rows(out)) == 2
        assert capfd.readouterr().err == f"elsewhere: stopped by {name} after 2 of 9 rows. To go on: AGAIN\n"


class TestSignals:
    def test_who_ignores_a_signal_goes_on_ignoring_it(self):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with Signals():
                assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
                os.kill(os.getpid(), signal.SIGHUP)
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_handlers_are_given_back(self):
        before = signal.getsignal(signal.SIGINT)
        with Signals():
            assert signal.getsignal(signal.SIGINT) is not before
        assert signal.getsignal(signal.SIGINT) is before

    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
    def test_one_that_hits_a_finalizer_is_not_lost(self, name):
        """Python raises nothing from there."""

        class Struck:
            def __del__(self):
                os.kill(os.getpid(), getattr(signal, name))
                threading.Event().wait(0)  # its handler is called by now

        with Signals(), pytest.raises(Stopped) as caught:
            Struck()
            threading.Event().wait(30)
        assert caught.value.name == name

    def test_what_else_goes_wrong_in_a_finalizer_is_told_as_ever(self, monkeypatch):
        class Wrong:
            def __del__(self):
                raise ValueError

        told = []
        monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(what.exc_type))
        with Signals():
            Wrong()
        Wrong()
        assert told == [ValueError, ValueError]

    def test_a_second_signal_changes_nothing(self):
        with Signals() as signals, pytest.raises(Stopped) as caught, signals.held():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
        assert caught.value.name == "SIGTERM"


class TestJob:
    def test_travels(self):
        import pickle

        job = pickle.loads(pickle.dumps(Job(Target.parse(f"{HERE}:double"), "int")))
        assert job(Task(0, "4"))[0] == "8"
        assert f"{job.__module__}.{job.__qualname__}" == f"{HERE}.double"

    def test_awaits_coroutines(self):
        assert Job(Target.parse(f"{HERE}:later"), "int")(Task(0, "4"))[0] == "5"

    def test_survives_what_ends_a_process(self):
        with pytest.raises(Failed, match="SystemExit: 3"):
            Job(Target.parse(f"{HERE}:exits"), TEXT)(Task(0, "a"))

    def test_asks_only_on_a_type_error_of_a_number(self):
        job = Job(Target.parse(f"{HERE}:negated"), ASK)
        assert job(Task(0, "4")) is Answer.NEEDS_NUMBER
        with pytest.raises(Failed, match="TypeError"):
            job(Task(0, "x"))

    def test_refuses_instead_of_raising(self):
        assert Job(Target.parse(f"{HERE}:raw"), TEXT)(Task(0, "a")) == Refused("bytes")
        assert Job(Target.parse(f"{HERE}:raw"), TEXT, as_text=True)(Task(0, "a"))[0] == "b'a'"

    def test_a_failed_travels(self):
        import pickle

        failed = pickle.loads(pickle.dumps(Failed("ValueError", "x", "trace")))
        assert Failure.of(failed) == Failure("ValueError", "x", "trace")
        assert str(Task(3, "a")) == "'a'"


class TestSummary:
    def test_of_the_pool_s_own_errors(self):
        lost = WorkerLost(exitcode=-9, pid=12, call="f('a')")
        assert Failure.of(lost).kind == "elsewhere.WorkerLost"
        assert "SIGKILL" in Failure.of(lost).message
        assert json.loads(Failure.of(CallTimeout("too long")).json()) == {
            "type": "elsewhere.CallTimeout",
            "message": "too long",
        }

    def test_names_ten_types_at_most(self):
        tally = Tally()
        for number in range(13):
            tally.add(Task(number, "x" * 100), Failure(f"Error{number}", "y" * 1000 + "\nz"))
        lines = list(tally.lines())
        assert len(lines) == 12
        assert lines[-1] == "  and 3 more types of error."
        assert max(map(len, lines)) < 320


def test_workers_keep_stdout_for_rows():
    import subprocess

    from tests.cli.helpers import environment

    code = (
        "from elsewhere.cli.batch.job import stdout_is_for_rows as f; import os\n"
        "f(); print('a', flush=True); os.write(1, b'b')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment())
    assert (ended.stdout, ended.stderr) == (b"", b"a\nb")


def test_workers_import_no_click():
    import subprocess

    from tests.cli.helpers import environment

    code = "import sys, elsewhere.cli.batch.job; print(sorted({'click', 'rich', 'asyncio', 'numpy'} & {*sys.modules}))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment())
    assert ended.stdout == b"[]\n"

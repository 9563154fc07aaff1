"""Where ``elsewhere map`` calls, without the command: what is sent, and what an answer becomes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from elsewhere import Pool
from elsewhere.cli.batch.job import Answer, Failed, Job, Refused, Task
from elsewhere.cli.function.convert import ASK
from elsewhere.cli.function.target import Target
from elsewhere.cli.places.engines import FarCalls
from elsewhere.cli.places.there import FAILED, NEEDS_NUMBER, make_call, make_initializer
from elsewhere.errors import ConnectError, NeverStarted, RemoteError, WorkerLost
from tests.contract.nearby import Nearby
from tests.far.driving import interpreters

PYTHONS = interpreters()
SENT = "tests.cli.hosts.sent"


def job(name: str, conversion: str = "text", **more: Any) -> Job:
    return Job(Target.parse(name), conversion, **more)


class Answers:
    """A pool that answers what it is told to."""

    def __init__(self, value: Any = None, error: BaseException | None = None) -> None:
        self.value = value
        self.error = error

    def calls(self, call, items, *, ordered):
        for item in items:
            yield SimpleNamespace(input=item, value=self.value, error=self.error, attempt=1)


def told(pool: Any, task: Job | None = None, given: str = "4"):
    (done,) = FarCalls(pool)(task or job("math:sqrt", "float"), [Task(3, given)], ordered=True)
    assert done.input == Task(3, given)
    return done


@pytest.mark.slow
@pytest.mark.parametrize("python", sorted({PYTHONS[0], PYTHONS[-1]}))
def test_it_runs_where_nothing_of_ours_is(python: str, capfd: pytest.CaptureFixture[str]) -> None:
    with Pool(1, make_initializer(), where=Nearby(python)) as pool:
        calls = FarCalls(pool)
        for function, conversion, given, value in [
            ("math:sqrt", "float", "4", "2.0"),
            (f"{SENT}:double", "int", "4", "8"),
            (f"{SENT}:later", "number", "4", "4"),
            (f"{SENT}:says", "int", "4", "4"),
            (f"{SENT}:size", "text", "abc", '{"text": "abc", "length": 3}'),
        ]:
            (done,) = calls(job(function, conversion), [Task(0, given)], ordered=True)
            assert done.error is None
            assert done.value[0] == value
        (done,) = calls(job(f"{SENT}:fussy"), [Task(0, "bad")], ordered=True)
        assert isinstance(done.error, Failed)
        assert (done.error.kind, done.error.message) == ("ValueError", "it is bad")
        assert "in fussy" in done.error.trace
        assert "there.py" not in done.error.trace
    out, err = capfd.readouterr()
    assert out == ""
    assert "printed 4" in err


class TestWhatIsSent:
    def call(self, function, **more):
        return make_call(function, **{"awaits": False, "asks": False, "as_text": False, **more})

    def test_a_value_and_its_seconds(self) -> None:
        value, seconds = self.call(abs)((0, -3))
        assert value == 3
        assert 0 <= seconds < 1
        assert self.call(abs, as_text=True)((0, -3))[0] == "3"

    def test_a_failure_in_words(self) -> None:
        class Silent(Exception):
            def __str__(self):
                raise ValueError

        def fails(given):
            raise Silent

        with pytest.raises(RuntimeError) as caught:
            self.call(fails)((0, 1))
        marker, kind, text, _, seconds = caught.value.args
        assert (marker, text) == (FAILED, "(its text cannot be shown)")
        assert kind.endswith("Silent")
        assert seconds >= 0

    def test_a_type_error_is_an_answer_where_it_is_asked_for(self) -> None:
        assert self.call(abs, asks=True)((0, "3")) == (NEEDS_NUMBER, 0.0)
        with pytest.raises(RuntimeError):
            self.call(abs)((0, "3"))

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), WorkerLost()])
    def test_what_ends_a_call_from_outside_passes(self, error: BaseException) -> None:
        def ends(given):
            raise error

        with pytest.raises(type(error)):
            self.call(ends)((0, 1))


class TestWhatAnAnswerBecomes:
    def test_text_of_a_row(self) -> None:
        assert told(Answers(value=(2.0, 0.5))).value == ("2.0", 0.5)
        assert told(Answers(value=("x", 0.5)), job("math:sqrt", "float", as_text=True)).value == ("x", 0.5)

    def test_an_asking_call_finds_out(self) -> None:
        done = told(Answers(value=(NEEDS_NUMBER, 0.0)), job("math:sqrt", ASK))
        assert done.value is Answer.NEEDS_NUMBER
        assert told(Answers(value=(NEEDS_NUMBER, 0.0))).value == (f'"{NEEDS_NUMBER}"', 0.0)

    def test_what_json_cannot_hold_is_refused(self) -> None:
        assert told(Answers(value=(object(), 0.5))).value == Refused("object")

    @pytest.mark.parametrize("value", [None, 5, (1,), (1, 2, 3), (1, "x"), (1, None)])
    def test_what_is_no_answer_is_a_failure(self, value: Any) -> None:
        error = told(Answers(value=value)).error
        assert isinstance(error, Failed)
        assert error.kind == "ProtocolError"

    def test_an_input_that_does_not_become_a_number_fails_here(self) -> None:
        error = told(Answers(value=(1, 1.0)), given="x").error
        assert isinstance(error, Failed)
        assert error.kind == "ValueError"

    def test_failures_in_the_words_of_rows(self) -> None:
        error = told(Answers(error=RuntimeError(FAILED, "a.Error", "text", "trace", 0.5))).error
        assert isinstance(error, Failed)
        assert error.args == ("a.Error", "text", "trace", 0.5)
        assert told(Answers(error=RuntimeError(FAILED, 1, 2, 3, "x"))).error.args == ("1", "2", "3", None)
        assert told(Answers(error=RuntimeError("its own"))).error.args[:2] == ("RuntimeError", "its own")
        refused = RemoteError("it is not opened", type_name="builtins.print")
        assert told(Answers(error=refused)).error.args[:2] == ("print", "it is not opened")

    def test_a_lost_worker_is_told_without_the_pools_count(self) -> None:
        lost = WorkerLost("web1: worker 7 was killed by SIGKILL while it ran f, input 3: last words")
        assert told(Answers(error=lost)).error.message == (
            "web1: worker 7 was killed by SIGKILL while it ran this call: last words"
        )
        plain = WorkerLost("web1: worker 7 died while it ran f, input 3")
        assert told(Answers(error=plain)).error.message == "web1: worker 7 died while it ran this call"

    def test_what_never_began_is_no_row(self) -> None:
        with pytest.raises(NeverStarted):
            told(Answers(error=ConnectError("web1 is away")))

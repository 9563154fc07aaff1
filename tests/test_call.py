"""What a call is told: Retry, Options, and how it is described."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest

from elsewhere.call import LONGEST_BACKOFF, Options, Retry, describe_call, function_name
from elsewhere.errors import CallTimeout, WorkerLost


class TestRetry:
    def test_a_number_means_repeats_after_the_first_try(self):
        assert Retry.of(3) == Retry(retries=3)
        assert [Retry(2).wants(OSError(), failures) for failures in (1, 2, 3)] == [True, True, False]

    @pytest.mark.parametrize("value", [None, 0])
    def test_none_and_0_mean_never(self, value):
        assert Retry.of(value) is None

    def test_a_retry_is_taken_as_it_is(self):
        retry = Retry(0)
        assert Retry.of(retry) is retry
        assert not retry.wants(OSError(), 1)

    def test_only_the_exceptions_asked_for(self):
        retry = Retry(3, on=(OSError, WorkerLost))
        assert retry.wants(FileNotFoundError(), 1)
        assert retry.wants(WorkerLost(), 1)
        assert not retry.wants(CallTimeout("late") if not issubclass(CallTimeout, OSError) else KeyError(), 1)
        assert not retry.wants(ValueError(), 1)

    def test_one_type_alone_is_a_tuple_of_one(self):
        assert Retry(1, on=OSError).on == (OSError,)

    def test_keyboard_interrupt_counts_only_if_asked_for(self):
        assert not Retry(1).wants(KeyboardInterrupt(), 1)
        assert Retry(1, on=(BaseException,)).wants(KeyboardInterrupt(), 1)

    @pytest.mark.parametrize("retries", [-1, -100])
    def test_negative_retries(self, retries):
        with pytest.raises(ValueError, match=f"0 or more, not {retries}"):
            Retry(retries)

    @pytest.mark.parametrize("retries", [1.5, "3", None, True])
    def test_retries_that_are_no_whole_number(self, retries):
        with pytest.raises(TypeError, match="whole number"):
            Retry(retries)

    @pytest.mark.parametrize("value", ["3", 2.0, True, False, object()])
    def test_of_what_is_no_retry(self, value):
        if value is False:
            assert Retry.of(value) is None  # equal to 0
        else:
            with pytest.raises(TypeError):
                Retry.of(value)

    @pytest.mark.parametrize("on", [(int,), ("OSError",), (OSError, 3), OSError("an instance")])
    def test_on_what_is_no_exception_type(self, on):
        with pytest.raises(TypeError, match="exception types"):
            Retry(1, on=on)

    @pytest.mark.parametrize("backoff", [-0.1, math.inf, math.nan])
    def test_a_backoff_that_is_no_delay(self, backoff):
        with pytest.raises(ValueError, match="backoff"):
            Retry(1, backoff=backoff)

    def test_a_backoff_of_another_type(self):
        with pytest.raises(TypeError):
            Retry(1, backoff="1")

    def test_a_delay_doubles_up_to_a_minute(self):
        assert [Retry(9, backoff=0.5).delay(repeat) for repeat in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]
        assert Retry(9, backoff=0.5).delay(100_000) == LONGEST_BACKOFF == 60.0
        assert Retry(9, backoff=1e308).delay(50) == 60.0
        assert Retry(9).delay(7) == 0.0

    def test_a_delay_from_a_function_of_the_repeat(self):
        asked: list[int] = []
        retry = Retry(3, backoff=lambda repeat: asked.append(repeat) or repeat * 100)
        assert [retry.delay(1), retry.delay(2)] == [100.0, 200.0]
        assert asked == [1, 2]

    def test_a_function_that_goes_back_in_time_means_now(self):
        assert Retry(3, backoff=lambda repeat: -5.0).delay(1) == 0.0
        assert Retry(3, backoff=lambda repeat: math.nan).delay(1) == 0.0

    def test_it_can_be_compared_and_not_changed(self):
        assert hash(Retry(3)) == hash(Retry(3))
        with pytest.raises(AttributeError):
            Retry(3).retries = 4


class TestOptions:
    def test_nothing_given_is_nothing_asked(self):
        assert Options.of() == Options(None, None, None) == Options()

    def test_a_timeout_is_a_float_and_endless_is_none(self):
        assert Options.of(timeout=3).timeout == 3.0
        assert isinstance(Options.of(timeout=3).timeout, float)
        assert Options.of(timeout=math.inf).timeout is None

    @pytest.mark.parametrize("timeout", [0, -1, -0.5, math.nan, -math.inf])
    def test_a_timeout_of_nothing(self, timeout):
        with pytest.raises(ValueError, match="more than 0 seconds"):
            Options.of(timeout=timeout)

    @pytest.mark.parametrize("timeout", ["3", True, [1]])
    def test_a_timeout_of_another_type(self, timeout):
        with pytest.raises(TypeError, match="number of seconds"):
            Options.of(timeout=timeout)

    def test_but_replaces_what_is_given_and_keeps_the_rest(self):
        options = Options.of(timeout=5, retry=2, name="score")
        assert options.but() is options
        assert options.but(timeout=None) == Options(None, Retry(2), "score")
        assert options.but(retry=0, name=None) == Options(5.0, None, None)
        assert options.but(name="other") == Options(5.0, Retry(2), "other")

    @pytest.mark.parametrize("wrong", [{"timeout": 0}, {"retry": -1}])
    def test_but_checks_too(self, wrong):
        with pytest.raises(ValueError):
            Options().but(**wrong)


class Callable_:
    def __call__(self) -> None: ...

    def method(self) -> None: ...


def sample(a: int) -> None: ...


@pytest.mark.parametrize(
    ("fn", "name"),
    [
        (len, "len"),
        (math.sqrt, "math.sqrt"),
        (sample, "tests.test_call.sample"),
        (functools.partial(sample, 1), "partial(tests.test_call.sample)"),
        (functools.partial(functools.partial(len)), "partial(len)"),
        (Callable_(), "tests.test_call.Callable_"),
        (Callable_().method, "tests.test_call.Callable_.method"),
        (lambda: None, "tests.test_call.<lambda>"),
    ],
)
def test_function_name(fn, name):
    assert function_name(fn) == name


def test_function_name_of_what_main_defines_is_short():
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def score(): pass", namespace)
    assert function_name(namespace["score"]) == "score"


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class TestDescribeCall:
    def test_as_a_reader_would_write_it(self):
        assert describe_call("score", (1, "a"), {"deep": True}) == "score(1, 'a', deep=True)"
        assert describe_call("score", ()) == "score()"

    def test_long_arguments_are_shortened(self):
        text = describe_call("score", ("x" * 10_000, list(range(10_000)), {n: n for n in range(999)}))
        assert len(text) < 250
        assert "..." in text

    def test_an_argument_whose_repr_fails_does_not_hide_the_failure(self):
        text = describe_call("score", (Unprintable(), 2))
        assert text.startswith("score(")
        assert text.endswith(")")

    def test_endless_nesting(self):
        nested: list[Any] = []
        nested.append(nested)
        assert len(describe_call("score", (nested,))) < 100

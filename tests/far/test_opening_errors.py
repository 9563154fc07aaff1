"""What a call raised on a host is raised here."""

import math
import pickle
import traceback

import pytest

from elsewhere.errors import RemoteError
from elsewhere.runtime.far.opening import Opening
from tests.far.hostile import answer, whole

opening = Opening(lambda token: None, {"tests.far.hostile"}.__contains__, trust=False)


def told(
    body,
    *,
    kind="builtins.ValueError",
    text="the text",
    trace="Traceback ...\nValueError: x\n",
    call="fn(1)",
    seconds=1.5,
):
    return pickle.dumps((body, kind, text, trace, call, seconds), 4)


def opened(data, name="fn", index=3):
    return opening.error(data, name, index, "worker 7 on web1")


def test_it_is_itself_with_the_remote_traceback_and_a_note():
    error, seconds = opened(told(answer(KeyError("k"), 5)))
    assert type(error) is KeyError
    assert error.args == ("k",)
    assert seconds == 1.5
    assert error.__notes__ == ["raised by fn(1), input 3, in worker 7 on web1"]
    assert type(error.__cause__).__name__ == "RemoteTraceback"
    shown = "".join(traceback.format_exception(error))
    assert "ValueError: x" in shown
    assert "input 3, in worker 7 on web1" in shown


def test_a_call_under_another_name_is_told_under_both():
    error, _ = opened(told(answer(KeyError("k"), 5)), name="job")
    assert error.__notes__ == ["raised by job: fn(1), input 3, in worker 7 on web1"]
    error, _ = opened(told(answer(KeyError("k"), 5)), name="job", index=None)
    assert error.__notes__ == ["raised by fn(1), in worker 7 on web1"]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_a_program_there_is_the_calls_error_here_and_not_raised(kind):
    error, _ = opened(told(answer(kind(3), 5)))
    assert type(error) is kind


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (None, "it could not be pickled"),
        (answer(1, 5), "it came back as a int"),
        (b"\x80\x05.", "it could not be opened"),
        (answer(print, 5), "builtins.print is not opened|print is not opened"),
    ],
)
def test_what_cannot_come_as_itself_comes_in_words(body, why):
    error, _ = opened(told(body, kind="mod.Odd"))
    assert type(error) is RemoteError
    assert (error.type_name, error.text, error.traceback) == ("mod.Odd", "the text", "Traceback ...\nValueError: x\n")
    with pytest.raises(RemoteError, match=why):
        raise error


def test_a_result_that_nothing_can_pickle():
    error, seconds = opened(told(None, kind="MaybeEncodingError", text=("why", "<lambda>"), trace=""))
    assert type(error).__name__ == "MaybeEncodingError"
    assert isinstance(error, RemoteError)
    assert "why" in str(error)
    assert seconds == 1.5


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1, 10**400, "x", None, [1], True])
def test_a_time_that_is_none_is_none(seconds):
    assert opened(told(None, seconds=seconds))[1] == 0.0


@pytest.mark.parametrize(
    "data",
    [
        *[b"", b"junk", answer(1), answer((1, 2)), whole(b"N")],
        *[told(1), told([]), told(None, kind=1), told(None, text=5), told(None, trace=b"x"), told(None, call=None)],
        *[told(None, text=("a",)), told(None, text=("a", 1)), told(None, kind="MaybeEncodingError", trace="")],
    ],
)
def test_what_is_no_error_is_an_error_that_says_so(data):
    error, seconds = opened(data)
    assert isinstance(error, RemoteError)
    assert seconds in (0.0, 1.5)


def test_an_error_class_that_forbids_everything_is_raised_all_the_same():
    error, _ = Opening(lambda token: None, {__name__}.__contains__, trust=False).error(
        told(answer(Stubborn(), 5)), "fn", None, "worker 7"
    )
    assert type(error) is Stubborn
    assert type(error.__cause__).__name__ == "RemoteTraceback"


class Stubborn(Exception):
    def __setattr__(self, key, value):
        raise TypeError("no")

    def add_note(self, note):
        raise TypeError("no")

"""Workers that cannot start: one clear error instead of new ones for ever."""

from __future__ import annotations

import os
import sys

import pytest

from elsewhere import Pool, WorkerStartError
from tests.faults.faults import ErrorAtUnpickle, die, is_first, pid, same
from tests.faults.helpers import WAYS, by_map, by_submit, errors_in, until, workers


class NoDatabase(Exception):
    pass


def fail_to_start(path=None):
    if path is not None:
        with open(path, "a") as file:
            file.write(f"{os.getpid()}\n")
    raise NoDatabase("connection refused")


def exit_at_start():
    sys.exit("no licence")


def die_at_start():
    die()


def leave_at_start():
    os._exit(7)


def fail_once(once):
    if is_first(once):
        raise NoDatabase("not yet")


@pytest.mark.parametrize(
    ("context", "way"), [*(("forkserver", way) for way in WAYS), ("spawn", by_submit), ("fork", by_submit)]
)
def test_an_initializer_that_raises_fails_every_call_with_it_as_the_cause(way, context):
    with Pool(2, fail_to_start, context=context) as pool:
        try:
            outcomes = way(pool, same, range(5))
        except WorkerStartError as error:  # the pool was known to be broken when the call was made
            outcomes = [error] * 5
    assert [type(outcome) for outcome in outcomes] == [WorkerStartError] * 5
    for outcome in outcomes:
        assert type(outcome.__cause__) is NoDatabase
        assert "NoDatabase: connection refused" in str(outcome)
        assert "fail_to_start" in str(outcome.__cause__.__cause__)


def test_it_is_tried_a_few_times_not_for_ever(tmp_path):
    with Pool(2, fail_to_start, (tmp_path / "starts",)) as pool:
        assert isinstance(pool.submit(same, 1).exception(30), WorkerStartError)
        until(lambda: not workers(pool))
    assert 3 <= len((tmp_path / "starts").read_text().splitlines()) <= 5


def test_calls_that_come_later_fail_at_once():
    with Pool(2, fail_to_start) as pool:
        pending = [pool.submit(same, 1), pool.map_async(same, range(3)), pool.imap(same, range(3))]
        errors = [pending[0].exception(30), pending[1].exception(30)]
        with pytest.raises(WorkerStartError) as caught:
            pending[2].next(10)
        errors.append(caught.value)
        for call in (
            lambda: pool.submit(same, 1),
            lambda: pool.map(same, [1]),
            lambda: pool.imap(same, [1]),
            lambda: pool.imap_unordered(same, [1]),
            lambda: pool.apply_async(same, (1,)),
        ):
            with pytest.raises(WorkerStartError) as caught:
                call()
            errors.append(caught.value)
        assert {type(error.__cause__) for error in errors} == {NoDatabase}


@pytest.mark.parametrize(
    ("initializer", "text"),
    [
        (exit_at_start, "SystemExit: no licence"),
        (die_at_start, "killed by SIGKILL"),
        (leave_at_start, "exited with code 7"),
    ],
)
@pytest.mark.parametrize("way", [by_submit, by_map])
def test_other_ways_to_fail(initializer, text, way):
    with Pool(2, initializer) as pool:
        try:
            outcomes = way(pool, same, range(3))
        except WorkerStartError as error:
            outcomes = [error] * 3
    assert [type(outcome) for outcome in outcomes] == [WorkerStartError] * 3
    assert all(text in str(outcome) for outcome in outcomes)


def test_an_initializer_s_argument_that_fails_to_load():
    with Pool(1, same, (ErrorAtUnpickle(),)) as pool:
        error = pool.submit(same, 1).exception(30)
    assert isinstance(error, WorkerStartError)
    assert isinstance(error.__cause__, OverflowError)


def test_one_failure_is_made_good(tmp_path):
    with Pool(2, fail_once, (str(tmp_path / "once"),)) as pool:
        assert pool.map(same, range(100)) == list(range(100))


def test_a_retry_does_not_repeat_what_never_started():
    with Pool(1, fail_to_start, retry=100) as pool:
        (error,) = errors_in([pool.submit(same, 1).exception(30)])
        assert isinstance(error, WorkerStartError)


def test_a_preload_that_kills_the_fork_server(tmp_path, monkeypatch):
    (tmp_path / "deadly_preload.py").write_text("import os; os._exit(9)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Pool(1, preload=["deadly_preload"]) as pool:
        error = pool.submit(pid).exception(30)
    assert isinstance(error, WorkerStartError)

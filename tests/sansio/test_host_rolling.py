"""Rolling work: each host once, never too many at a time, nobody after the limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.sansio.hosts.many.rolling import Rolling


@given(
    count=st.integers(0, 40),
    jobs=st.integers(1, 12),
    most=st.none() | st.integers(1, 10),
    data=st.data(),
)
def test_whatever_happens(count: int, jobs: int, most: int | None, data: st.DataObject) -> None:
    machine = Rolling(count, jobs, most)
    begun: list[int] = machine.begin()
    running = set(begun)
    failures = 0
    while running:
        assert len(running) <= jobs
        host = data.draw(st.sampled_from(sorted(running)))
        failed = data.draw(st.booleans())
        failures += failed
        running.remove(host)
        following = machine.ended(host, failed=failed)
        assert machine.stopped == (most is not None and failures >= most)
        if machine.stopped:
            assert following == []
        else:  # nobody waits who could run
            assert len(running) + len(following) == min(jobs, count - len(begun) + len(running))
        begun += following
        running.update(following)
    assert machine.over
    assert begun == list(range(len(begun)))
    assert [*machine.untouched] == list(range(len(begun), count))
    assert machine.failed == failures
    assert machine.stopped or len(begun) == count


def test_one_at_a_time_stops_at_the_first_failure() -> None:
    machine = Rolling(5, 1, 1)
    assert machine.begin() == [0]
    assert machine.ended(0, failed=False) == [1]
    assert machine.ended(1, failed=True) == []
    assert (machine.over, [*machine.untouched]) == (True, [2, 3, 4])


def test_those_that_run_are_left_to_end() -> None:
    machine = Rolling(9, 3, 1)
    assert machine.begin() == [0, 1, 2]
    assert machine.ended(1, failed=True) == []
    assert not machine.over
    assert machine.ended(0, failed=False) == machine.ended(2, failed=True) == []
    assert (machine.over, machine.failed) == (True, 2)


def test_who_does_not_run_does_not_end() -> None:
    machine = Rolling(3, 1)
    machine.begin()
    with pytest.raises(ValueError, match="was not running"):
        machine.ended(1, failed=False)

"""What is to happen at some time."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from elsewhere.rpc.serving.deadlines import Deadlines


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=300), st.lists(st.integers(0, 60), max_size=5))
def test_what_is_due_comes_in_its_order_and_once(entries, times):
    deadlines, happened = Deadlines(), []
    made = [
        deadlines.add(when, lambda number=number: happened.append(number)) for number, (when, _) in enumerate(entries)
    ]
    for entry, (_, cancelled) in zip(made, entries, strict=True):
        if cancelled:
            entry.cancel()
            entry.cancel()
    expected = sorted((when, number) for number, (when, cancelled) in enumerate(entries) if not cancelled)
    for now in [*sorted(times), 99]:
        assert deadlines.next() == min((when for when, number in expected if number not in happened), default=math.inf)
        for work in deadlines.due(now):
            work()
        assert happened == [number for when, number in expected if when <= now]
    assert deadlines.next() == math.inf


def test_many_that_were_cancelled_take_no_memory():
    deadlines = Deadlines()
    for when in range(10_000):
        deadlines.add(when, print).cancel()
    assert len(deadlines._heap) < 200

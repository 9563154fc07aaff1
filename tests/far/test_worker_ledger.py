"""Which calls a far worker begins, leaves out and stops, beside a model that has an object for each call."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from elsewhere.runtime.far.worker.ledger import Ledger, Run
from elsewhere.runtime.far.worker.wire import COUNT

NEAR = st.integers(-1, 4)  # to the call that was begun last
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hand"), st.integers(0, 4)),
        st.tuples(st.just("skip"), NEAR, st.integers(0, 3)),
        st.tuples(st.just("stop"), NEAR, st.booleans()),
        st.just(("withdraw",)),
        st.just(("teach",)),
        st.just(("begin",)),
        st.just(("begin",)),
        st.just(("over",)),
    ),
    max_size=60,
)


class Model:
    """A worker and its caller, with everything in plain lists."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.run: Run | None = None
        self.calls: list[set[str]] = []  # what is known of each that is the worker's, begun or not
        self.begun = 0
        self.wanted = 0
        self.taught = self.learnt = 0

    def hand(self, count: int) -> None:
        self.ledger.hand(1, 0, COUNT.pack(count))
        self.calls += [set() for _ in range(count)]

    def skip(self, near: int, more: int) -> None:
        first = max(0, self.begun + near)
        self.ledger.skip(first, first + more)
        for number in range(max(first, 1), first + more + 1):
            if number <= len(self.calls):
                self.calls[number - 1].add("skip")

    def stop(self, near: int, cancelled: bool) -> None:
        number = max(0, self.begun + near)
        runs = self.ledger.stop(number, cancelled=cancelled)
        if number <= len(self.calls):
            self.wanted = number
            assert self.ledger.wanted == (number, cancelled)
        assert runs == (0 < number == self.begun and "over" not in self.calls[number - 1])

    def withdraw(self) -> None:
        assert self.ledger.withdraw() == self.begun
        del self.calls[self.begun :]
        if self.wanted > self.begun:
            self.wanted = 0

    def teach(self) -> None:
        self.ledger.queue.append(self.taught)
        self.taught += 1

    def begin(self) -> None:
        """What the main thread does until it has begun a call, or has nothing to do."""
        while not self.step():
            pass

    def step(self) -> bool:
        if self.run is None:
            found: Any = self.ledger.next()
            if isinstance(found, int):
                assert found == self.learnt
                self.learnt += 1
            elif found is None:
                assert self.begun == len(self.calls)
                assert self.learnt == self.taught
                return True
            else:
                self.run = found
            return False
        wanted = self.ledger.begin(self.run)
        if wanted is None:
            self.run = None
            return False
        self.begun += 1
        call = self.calls[self.begun - 1]
        assert wanted == ("skip" not in call)
        assert self.ledger.begun == self.begun
        if not wanted:
            self.over()
        assert self.ledger.to_be_stopped(self.begun) == (wanted and self.wanted == self.begun)
        return True

    def over(self) -> None:
        if self.begun:
            self.calls[self.begun - 1].add("over")
            self.ledger.over = self.begun
            assert not self.ledger.to_be_stopped(self.begun)


@settings(max_examples=400)
@given(STEPS)
def test_each_call_is_begun_once_in_order_and_every_word_means_its_call(steps):
    model = Model()
    for name, *args in steps:
        getattr(model, name)(*args)
    for _ in range(len(model.calls) + 1):  # and then all that is left
        model.begin()
    assert model.begun == len(model.calls)
    assert model.learnt == model.taught

"""Taking back, skipping and interrupting calls of a far worker, in every Python that is here."""

from __future__ import annotations

import struct

import pytest

from elsewhere import errors
from elsewhere.runtime.far import worker
from tests.far.driving import Far, bare, named, source

# Ends when the file is there. The path is the argument, so that each test has gates of its own.
GATED = source("""\
import os, time

def f(path):
    open(path + ".in", "w").close()
    end = time.monotonic() + 30
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise TimeoutError(path)
        time.sleep(0.001)
    return os.path.basename(path)
""")


@pytest.fixture(scope="module", params=bare(), ids=lambda path: path)
def shared_far(request):
    with Far(request.param) as far:
        yield far


class Counted:
    """A worker and how many calls it has been handed before this test: ordinals count over its life."""

    def __init__(self, far: Far) -> None:
        self.far = far
        far.asides.clear()
        far.send(worker.WITHDRAW)
        [self.base] = struct.unpack("<Q", far.next(worker.RELEASED))

    def ordinal(self, nth: int) -> bytes:
        return struct.pack("<Q", self.base + nth)

    def skip(self, first: int, last: int) -> None:
        self.far.send(worker.SKIP, self.ordinal(first) + self.ordinal(last))

    def interrupt(self, nth: int, *, cancelled: bool) -> None:
        self.far.send(worker.INTERRUPT, self.ordinal(nth), int(cancelled))

    def read(self) -> None:
        """Until it has read all that was sent."""
        self.far.send(worker.DUMP)
        self.far.next(worker.STACKS)

    def withdraw(self) -> int:
        """How many of this test's calls have begun."""
        self.far.send(worker.WITHDRAW)
        found: int = struct.unpack("<Q", self.far.next(worker.RELEASED))[0] - self.base
        return found


@pytest.fixture
def counted(shared_far):
    return Counted(shared_far)


@pytest.fixture
def gate(tmp_path):
    """Opened by writing the file; `wait_for` until the call is in it."""
    return tmp_path / "gate"


def wait_for(path):
    import time

    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.001)


def inside(gate):
    wait_for(gate.with_name(gate.name + ".in"))


# ---- taking back -----------------------------------------------------------------------------------------------------


def test_nothing_to_take_back(counted):
    assert counted.withdraw() == 0
    assert counted.far.call(abs, -1) == 1
    assert counted.withdraw() == 1


def test_what_has_not_begun_is_taken_back(counted, gate):
    far = counted.far
    far.run(GATED, str(gate), str(gate), str(gate))
    far.run(abs, -1, -2, batched=True)
    inside(gate)
    assert counted.withdraw() == 1
    gate.touch()
    assert far.value() == "gate"
    far.run(abs, -5, -6)  # they take the places of those
    assert [far.value(), far.value()] == [5, 6]
    assert counted.withdraw() == 3


def test_what_is_taught_is_not_taken_back(counted, gate):
    far = counted.far
    far.run(GATED, str(gate))
    far.run(named("operator", "neg"), 1)
    inside(gate)
    assert counted.withdraw() == 1
    gate.touch()
    assert far.value() == "gate"
    far.run(named("operator", "neg"), 7)  # the function was taught with the run that was withdrawn
    assert far.value() == -7


# ---- skipping --------------------------------------------------------------------------------------------------------


def test_skipped_calls_are_answered_in_their_turn(counted, gate):
    far = counted.far
    far.run(GATED, str(gate))
    far.run(abs, -1, -2, -3, -4, -5)
    inside(gate)
    counted.skip(2, 3)
    counted.skip(5, 5)
    counted.read()
    gate.touch()
    kinds = [far.next_frame(worker.VALUE, worker.SKIPPED)[0] for _ in range(6)]
    assert kinds == [worker.VALUE, worker.SKIPPED, worker.SKIPPED, worker.VALUE, worker.SKIPPED, worker.VALUE]


def test_a_call_is_skipped_while_another_runs(counted, gate):
    far = counted.far
    far.run(GATED, str(gate), str(gate.with_name("never")), str(gate))
    inside(gate)
    counted.skip(2, 2)
    counted.read()
    gate.touch()
    assert far.value() == "gate"
    far.next(worker.SKIPPED)
    assert far.value() == "gate"


def test_a_skip_ends_with_the_call_that_was_taken_back(counted, gate):
    far = counted.far
    far.run(GATED, *[str(gate)] * 5)
    inside(gate)
    counted.skip(1, 4)
    assert counted.withdraw() == 1
    far.run(abs, -2, -3)
    gate.touch()
    assert [far.value() for _ in range(3)] == ["gate", 2, 3]


# ---- interrupting ----------------------------------------------------------------------------------------------------

SLEEPS = source("""\
import time

def f(path):
    try:
        open(path + ".in", "w").close()
        time.sleep(60)
    finally:
        open(path + ".out", "w").close()
""")
LOOPS = source("def f(path):\n    open(path + '.in', 'w').close()\n    while True:\n        pass")
AWAITS = source("""\
import asyncio

async def f(path):
    try:
        open(path + ".in", "w").close()
        await asyncio.sleep(60)
    finally:
        open(path + ".out", "w").close()
""")


@pytest.mark.parametrize("cancelled", [True, False])
@pytest.mark.parametrize("body", [SLEEPS, LOOPS, AWAITS], ids=["sleeps", "loops", "awaits"])
def test_a_call_is_interrupted(counted, gate, body, cancelled):
    far = counted.far
    far.run(body, str(gate))
    far.run(abs, -1)
    inside(gate)
    counted.interrupt(1, cancelled=cancelled)
    error, kind, text, trace, _, _ = far.error()
    assert type(error) is (errors.CallCancelled if cancelled else errors.CallTimeout)  # by name
    assert kind == f"elsewhere.errors.{type(error).__name__}"
    assert text == ("this call was cancelled" if cancelled else "this call ran longer than its timeout")
    assert "elsewhere_far" not in trace
    assert far.value() == 1
    if body is not LOOPS:
        assert gate.with_name("gate.out").exists()


def test_only_the_call_that_is_meant_is_interrupted(counted, gate):
    far = counted.far
    far.run(GATED, str(gate))
    inside(gate)
    counted.interrupt(0, cancelled=True)  # long over
    assert counted.withdraw() == 1
    gate.touch()
    assert far.value() == "gate"
    counted.interrupt(1, cancelled=True)
    assert far.call(abs, -1) == 1


def test_an_interrupt_that_comes_before_its_call(counted, gate):
    far = counted.far
    far.run(GATED, str(gate))
    far.run(abs, -1, -2)
    inside(gate)
    counted.interrupt(2, cancelled=False)
    counted.read()
    gate.touch()
    assert far.value() == "gate"
    assert far.error()[1] == "elsewhere.errors.CallTimeout"
    assert far.value() == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_was_taken_back_is_neither_interrupted_nor_skipped(counted, gate, when):
    far = counted.far
    far.run(GATED, *[str(gate)] * 3)
    inside(gate)
    if when == "before":
        counted.interrupt(2, cancelled=True)
        counted.skip(2, 3)
        assert counted.withdraw() == 1
    else:
        far.send(worker.WITHDRAW)
        counted.interrupt(2, cancelled=True)
        counted.skip(2, 3)
        far.next(worker.RELEASED)
    far.run(abs, -2, -3)
    gate.touch()
    assert [far.value() for _ in range(3)] == ["gate", 2, 3]


def test_an_interrupt_may_be_caught(counted, gate):
    far = counted.far
    text = (
        "import time\n\n\n"
        "def f(path):\n"
        "    try:\n"
        "        open(path + '.in', 'w').close()\n"
        "        time.sleep(60)\n"
        "    except TimeoutError:\n"
        "        return 'caught'"
    )
    far.run(source(text), str(gate))
    inside(gate)
    counted.interrupt(1, cancelled=False)
    assert far.value() == "caught"


def test_an_import_is_not_broken_off(counted, gate):
    far = counted.far
    module = (
        f"import os, time\n"
        f"open({str(gate)!r} + '.in', 'w').close()\n"
        f"while not os.path.exists({str(gate)!r}):\n"
        f"    time.sleep(0.001)\n"
        f"done = True\n"
    )
    name = f"slow_{counted.base}"
    far.modules = {name: (module, "slow.py", False)}.get
    far.run(source(f"import time\n\n\ndef f(x):\n    import {name}\n    time.sleep(60)"), 1)
    far.run(source(f"import sys\n\n\ndef f(x):\n    return sys.modules[{name!r}].done"), 1)
    far.answer_one()
    inside(gate)
    counted.interrupt(1, cancelled=True)
    assert counted.withdraw() == 1
    gate.touch()
    assert far.error()[1] == "elsewhere.errors.CallCancelled"
    far.run(source(f"import sys\n\n\ndef f(x):\n    return sys.modules[{name!r}].done"), 1)
    assert far.value() is True


def test_stacks_are_told_while_a_call_runs(counted, gate):
    far = counted.far
    far.run(GATED, str(gate))
    inside(gate)
    far.send(worker.DUMP)
    text = far.next(worker.STACKS).decode()
    assert "in f\n" in text
    gate.touch()
    assert far.value() == "gate"

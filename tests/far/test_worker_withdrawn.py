"""Words of the caller that cross with a withdrawal: they speak of calls whose places are other calls' by then."""

from __future__ import annotations

import pytest

from elsewhere.runtime.far import worker
from tests.far.driving import Far, source

HOLD = source("""
def f(path):
    import os, time
    print(path, flush=True)
    end = time.monotonic() + 30
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.002)
    return path
""")


def interrupt(far, ordinal):
    far.send(worker.INTERRUPT, worker.ORDINAL.pack(ordinal), flags=1)


def skip(far, first, last):
    far.send(worker.SKIP, worker.RANGE.pack(first, last))


@pytest.mark.parametrize("early", [True, False], ids=["before it", "after it"])
@pytest.mark.parametrize(
    "crossing", [lambda far: interrupt(far, 2), lambda far: skip(far, 2, 9)], ids=["interrupt", "skip"]
)
def test_a_word_about_what_is_withdrawn_hits_no_other_call(tmp_path, crossing, early):
    gate = str(tmp_path / "gate")
    with Far() as far:
        far.run(HOLD, *map(pickled, [gate] * 3))
        far.next(worker.OUTPUT)  # it is in the first
        if early:
            crossing(far)
        far.send(worker.WITHDRAW)
        if not early:
            crossing(far)
        assert worker.ORDINAL.unpack(far.next(worker.RELEASED)) == (1,)
        far.run(HOLD, *map(pickled, [gate] * 2))
        (tmp_path / "gate").touch()
        assert [far.value() for _ in range(3)] == [gate] * 3


def test_what_is_not_withdrawn_is_skipped_and_interrupted_as_ever(tmp_path):
    with Far() as far:
        far.run(HOLD, *map(pickled, [str(tmp_path / "never")] * 3))
        far.next(worker.OUTPUT)
        skip(far, 2, 2)
        interrupt(far, 3)
        interrupt(far, 1)
        assert far.error()[1] == "elsewhere.errors.CallCancelled"
        assert far.next(worker.SKIPPED) == b""
        far.next(worker.OUTPUT)
        interrupt(far, 3)
        assert far.error()[1] == "elsewhere.errors.CallCancelled"


def pickled(value):
    import pickle

    return pickle.dumps(value, 4)

"""Workers of one machine lend each other what is shared."""

from __future__ import annotations

import os
import pickle
import signal
import sys

import pytest

from elsewhere.runtime.far import worker
from tests.far.driving import Far, interpreters, named, reduced

TOKEN = 9
LIST = named("builtins", "len")
BODY = pickle.dumps(list(range(50_000)), 4)
SIZE = len(BODY)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems have no memory with a name: memfd_create"
)


@pytest.fixture(params=interpreters(), ids=os.path.basename)
def python(request):
    return request.param


def borrowed(far, pid, size=SIZE):
    far.send(worker.SHARE, worker.RANGE.pack(pid, size), worker.BORROWED, TOKEN)
    far.run(LIST, reduced("elsewhere_far", "shared", TOKEN))


def files_of(far):
    folder = f"/proc/{far.process.pid}/fd"
    return [os.readlink(f"{folder}/{file}") for file in os.listdir(folder)]


def lent(far):
    far.send(worker.SHARE, BODY, worker.LENT, TOKEN)


def test_what_one_has_the_others_have_from_it(python):
    with Far(python) as lender, Far(python) as first, Far(python) as second:
        borrowed(first, lender.process.pid)  # before it is there
        lent(lender)
        assert first.value() == 50_000
        lender.run(LIST, reduced("elsewhere_far", "shared", TOKEN))
        assert lender.value() == 50_000
        borrowed(second, lender.process.pid)  # after it was loaded, too
        assert second.value() == 50_000


def test_it_is_lent_whatever_the_lender_runs(python):
    with Far(python) as lender, Far(python) as other:
        lender.run(named("time", "sleep"), pickle.dumps(60, 4))
        lent(lender)
        borrowed(other, lender.process.pid)
        assert other.value() == 50_000
        lender.process.kill()


def test_where_the_lender_has_gone_the_caller_is_asked(python):
    with Far(python) as lender, Far(python) as other, Far(python) as third:
        lender.process.send_signal(signal.SIGKILL)
        lender.process.wait()
        borrowed(other, lender.process.pid)
        assert other.next(worker.WANT) == worker.ORDINAL.pack(TOKEN)
        lent(other)
        assert other.value() == 50_000
        borrowed(third, other.process.pid)
        assert third.value() == 50_000


def test_half_of_it_is_not_taken_for_the_whole(python):
    with Far(python) as lender, Far(python) as other:
        lent(lender)
        borrowed(other, lender.process.pid, SIZE + 1)
        lender.run(LIST, b"\x80\x04].")
        assert lender.value() == 0
        lender.process.kill()
        lender.process.wait()
        assert other.next(worker.WANT) == worker.ORDINAL.pack(TOKEN)  # and not a value


def test_it_is_let_go(python):
    with Far(python) as lender, Far(python) as other:
        lent(lender)
        borrowed(other, lender.process.pid)
        assert other.value() == 50_000
        assert any(f"-{TOKEN} " in name for name in files_of(lender))
        for far in (lender, other):
            far.send(worker.UNSHARE, number=TOKEN)
            far.run(LIST, b"\x80\x04].")
            assert far.value() == 0
            assert not any("memfd" in name for name in files_of(far))

"""What holds for every test: it leaves nothing behind, and it ends.

- After each test, `nothing_is_left` looks for processes, threads, file descriptors, shared memory and temporary files
  that were not there before it (see `leaks.py`).
- Each phase of each test (its fixtures, the test, their end) has 120 seconds, or what `@pytest.mark.bound(seconds)`
  says. Then every thread's stack is written to stderr and the run ends: nothing else can be trusted to end a hang
  that holds the interpreter's lock, and a run that hangs tells less than one that ends. The same timer bounds the
  interpreter's own exit.
- The run has a folder of its own for temporary files, so that what is found there is ours.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from multiprocessing.util import Finalize

import hypothesis
import pytest

from tests import leaks

BOUND = 120.0  # seconds; the slowest honest phase takes a few, and more on a busy machine
PATIENCE = 20.0  # seconds that what is on its way out may take
PATIENCE_AFTER_FAILURE = 0.5  # the failure's traceback holds its objects anyway, so waiting is mostly in vain

FAILED = pytest.StashKey[bool]()
STDERR = pytest.StashKey[int]()

# No deadline: on a machine with other work, time says nothing about an example.
# Under CI the same examples each time: a submission fails for what it changed. Locally they are new ones.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("house")


def _hear_signals() -> None:
    """A run in the background or under nohup begins with signals ignored, and so would all programs under test."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    _hear_signals()
    config.stash[STDERR] = os.dup(2)  # the real one: during a test, 2 is pytest's capture
    # pytest's own folders outlive the run, for the reader of a failure; they stay where they always are.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    tempfile.tempdir = os.environ["TMPDIR"] = folder = tempfile.mkdtemp(prefix="elsewhere-")
    # Through multiprocessing's list of last things, since it has a folder in there that it removes at -100.
    Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=-200)
    leaks.mark_children()


def pytest_unconfigure(config: pytest.Config) -> None:
    faulthandler.dump_traceback_later(BOUND, exit=True, file=config.stash[STDERR])


@contextlib.contextmanager
def bounded(item: pytest.Item) -> Iterator[None]:
    marker = item.get_closest_marker("bound")
    seconds = marker.args[0] if marker else BOUND
    faulthandler.dump_traceback_later(seconds, exit=True, file=item.config.stash[STDERR])
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


# Each phase by itself, not the whole protocol: pytest cancels the timer whenever a phase fails.


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with bounded(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with bounded(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    with bounded(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a process, a thread, a file descriptor, shared memory or a temporary file."""
    before = leaks.Snapshot.take()
    yield
    leaks.close_shared_pool()
    failed = request.node.stash.get(FAILED, False)
    found = leaks.left_behind(before, PATIENCE_AFTER_FAILURE if failed else PATIENCE)
    if found:
        pytest.fail("\n  ".join(["the test left behind:", *found]), pytrace=False)

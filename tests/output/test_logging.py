"""What is logged and warned of in a worker is handled by the caller, before the call's outcome is told."""

from __future__ import annotations

import contextlib
import contextvars
import io
import logging
import logging.handlers
import multiprocessing
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import elsewhere
from elsewhere import Pool, WorkerLost
from tests.output import logs

METHODS = pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
SRC = str(Path(elsewhere.__file__).parents[1])


class Kept(logging.Handler):
    def __init__(self, level=0):
        super().__init__(level)
        self.records = []

    def emit(self, record):
        record.handled_in = os.getpid()
        self.records.append(record)

    @property
    def texts(self):
        return [record.getMessage() for record in self.records]


@pytest.fixture
def kept():
    """What reaches a handler of the logger that work functions use."""
    logger, handler = logging.getLogger("tests.work"), Kept()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@contextlib.contextmanager
def level(name, value):
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(value)
    try:
        yield logger
    finally:
        logger.setLevel(before)


# ---- records ---------------------------------------------------------------------------------------------------------


@METHODS
def test_a_record_is_handled_in_the_caller_as_it_was_made(kept, method):
    with Pool(1, context=method) as pool:
        pid = pool.apply(logs.log, ("careful",))
    [record] = kept.records
    assert record.getMessage() == "careful"
    assert (record.name, record.levelname, record.funcName) == ("tests.work", "WARNING", "log")
    assert record.pathname == logs.__file__
    assert record.lineno == logs.log.__code__.co_firstlineno + 3
    assert record.process == pid != os.getpid()
    assert record.processName == f"Worker-{pid}"
    assert record.threadName == "MainThread"
    assert record.handled_in == os.getpid()
    assert 0 <= record.relativeCreated - (record.created - logging.makeLogRecord({}).created) * 1000 < 1e9


def test_it_is_handled_before_the_result_is_there(kept):
    with Pool(2) as pool:
        for number in range(300):
            assert pool.submit(logs.log, f"record {number}").result(10)
            assert kept.texts[-1] == f"record {number}"
    assert len(kept.records) == 300


def test_records_of_threads_come_before_the_result_too(kept, capsys):
    with Pool(1) as pool:
        for _ in range(20):
            pool.apply(logs.log_from_threads, (4,))
            assert len(kept.records) == 5 * 50
            names = {record.threadName for record in kept.records}
            assert names == {"MainThread", "thread-0", "thread-1", "thread-2", "thread-3"}
            kept.records.clear()
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == sorted(f"thread {n} {turn}" for n in range(4) for turn in range(50) for _ in range(20))


@METHODS
def test_only_what_the_caller_would_take_is_sent(method):
    handler = Kept()
    with level("tests.level", logging.INFO) as logger, Pool(1, context=method) as pool:
        logger.addHandler(handler)
        pool.apply(logs.log_all_levels, ("tests.level",))
        pool.apply(logs.log_all_levels, ("tests.level.below",))
        assert [record.levelno for record in handler.records] == [20, 30, 40, 50] * 2
        handler.records.clear()
        logger.setLevel(logging.ERROR)  # raised since: the caller decides in the end
        pool.apply(logs.log_all_levels, ("tests.level",))
        assert [record.levelno for record in handler.records] == [40, 50]
        logger.removeHandler(handler)


def test_what_the_caller_drops_does_not_travel(monkeypatch):
    from elsewhere.pool.places import relay

    seen = []
    monkeypatch.setattr(relay, "handle", lambda *frame: seen.append(frame))
    with level("tests.level", logging.ERROR), Pool(1) as pool:
        pool.apply(logs.log_all_levels, ("tests.level",))
        assert len(seen) == 2


def test_disabled_loggers_and_logging_disable(kept):
    logging.getLogger("tests.work").disabled = True
    try:
        with Pool(1) as pool:
            pool.apply(logs.log, ("one",))
    finally:
        logging.getLogger("tests.work").disabled = False
    logging.disable(logging.ERROR)
    try:
        with Pool(1) as pool:
            pool.apply(logs.log_all_levels, ("tests.work",))
    finally:
        logging.disable(logging.NOTSET)
    assert [record.levelno for record in kept.records] == [50]


def test_filters_and_propagation_of_the_caller(kept):
    logger, root = logging.getLogger("tests.work"), Kept()
    logging.root.addHandler(root)
    no_two = lambda record: "two" not in record.getMessage()
    try:
        with Pool(1) as pool:
            logger.addFilter(no_two)
            pool.map(logs.log, ["one", "two", "three"])
            assert kept.texts == root.texts == ["one", "three"]
            logger.propagate = False
            pool.apply(logs.log, ("four",))
    finally:
        logger.removeFilter(no_two)
        logger.propagate = True
        logging.root.removeHandler(root)
    assert kept.texts == ["one", "three", "four"]
    assert root.texts == ["one", "three"]


def test_arguments_travel_when_they_are_plain(kept):
    with Pool(1) as pool:
        pool.apply(logs.log_with, ("%s is %.2f of %r", "a", 0.5, [1, (2, None)]))
        pool.apply(logs.log_with, ("%(a)s", {"a": 1}))
        pool.apply(logs.log_with, ("%s", Path("x")))
    first, second, third = kept.records
    assert (first.msg, first.args) == ("%s is %.2f of %r", ("a", 0.5, [1, (2, None)]))
    assert (second.msg, second.args) == ("%(a)s", {"a": 1})
    assert (third.msg, third.args) == ("x", None)
    assert kept.texts == ["a is 0.50 of [1, (2, None)]", "1", "x"]


def test_things_that_cannot_travel(kept):
    with Pool(1) as pool, contextlib.redirect_stderr(io.StringIO()):
        assert pool.apply(logs.log_strange_things) == "done"
    one, two, three, four = kept.records
    assert three.getMessage() == "three <tuple whose repr() raises TypeError>"
    assert (one.getMessage(), two.getMessage()) == ("one <Unpicklable>", "<Unpicklable>")
    assert (four.mine, four.portable.value, four.plain) == ("<Unpicklable>", 4, {"a": [1]})
    assert type(four.portable) is logs.Portable


def test_a_record_that_cannot_be_formatted_hurts_nobody(capsys):
    stream = logging.StreamHandler()
    logging.getLogger("tests.work").addHandler(stream)
    try:
        with Pool(1) as pool:
            assert pool.apply(logs.log_wrongly) == "done"
    finally:
        logging.getLogger("tests.work").removeHandler(stream)
    assert "--- Logging error ---" in capsys.readouterr().err


def test_an_exception_arrives_as_text(kept):
    with Pool(1) as pool:
        pool.apply(logs.log_exception)
    [record] = kept.records
    assert record.exc_info is None
    text = logging.Formatter("%(message)s").format(record)
    assert text.startswith("it failed\nTraceback (most recent call last):\n")
    assert 'raise ValueError("inner")\nValueError: inner\nStack (most recent call last):' in text


def test_a_filter_that_raises_hurts_nobody(kept, capsys):
    def fail(record):
        raise RuntimeError("no")

    logging.getLogger("tests.work").addFilter(fail)
    try:
        with Pool(1) as pool:
            assert pool.apply(logs.log, ("one",)) > 0
    finally:
        logging.getLogger("tests.work").removeFilter(fail)
    assert "RuntimeError: no" in capsys.readouterr().err


def test_in_the_context_of_who_submitted():
    user = contextvars.ContextVar("user", default="nobody")
    seen = []

    class Ask(logging.Handler):
        def emit(self, record):
            seen.append((record.getMessage(), user.get()))

    handler = Ask()
    logging.getLogger("tests.work").addHandler(handler)
    try:
        with Pool(1) as pool:
            for name in ("ann", "bob"):
                user.set(name)
                pool.apply(logs.log, (name,))
    finally:
        logging.getLogger("tests.work").removeHandler(handler)
    assert seen == [("ann", "ann"), ("bob", "bob")]


# ---- floods, signals, ends -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.bound(400)
def test_a_hundred_thousand_records(kept):
    logging.getLogger("tests.work").propagate = False  # pytest's handlers take longer than all else
    try:
        with Pool(1) as pool:
            assert pool.submit(logs.log_many, 100_000).result(90) == "done"
    finally:
        logging.getLogger("tests.work").propagate = True
    assert kept.texts == [f"record {number}" for number in range(100_000)]


def test_an_enormous_record(kept):
    with Pool(1) as pool:
        pool.submit(logs.log, "x" * 50_000_000).result(30)
    assert len(kept.texts[0]) == 50_000_000


def test_from_a_signal_handler(kept):
    with Pool(1) as pool:
        fired = pool.submit(logs.log_in_a_signal_handler, 2000).result(50)
        assert fired > 10
        assert sorted(kept.texts) == sorted(
            [*(f"call {n}" for n in range(2000)), *(f"alarm {n}" for n in range(1, fired + 1))]
        )


def test_at_exit_and_before_a_death(kept):
    with Pool(1) as pool:
        pool.apply(logs.log_at_exit, ("good-bye",))
        assert kept.texts == []
    assert kept.texts == ["good-bye"]
    with Pool(1) as pool, pytest.raises(WorkerLost):
        pool.apply(logs.log_and_die, ("last words",))
    assert kept.texts == ["good-bye", "last words"]


@METHODS
def test_a_child_that_a_call_forks_does_not_use_the_channel(kept, method, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        pool = Pool(1, context=method)
    with pool:
        pool.submit(logs.log_in_a_forked_child).result(20)
    assert kept.texts == ["from the worker"]
    out, err = capfd.readouterr()
    assert out == "print of the child\n"
    assert "from the child" in err
    assert "warning of the child" in err or method == "fork"  # pytest's own recorder was forked too


# ---- the worker's own logging ----------------------------------------------------------------------------------------


def test_logging_is_not_imported_for_this():
    program = """
import sys
from elsewhere.runtime.worker import main
from elsewhere.runtime.worker.streams import logs
logs.relay_warnings(print)
logs.relay_logs(print, {}, inherited=False)
assert "logging" not in sys.modules and "traceback" not in sys.modules
import logging
assert logging.root.parent.handlers and not logging.root.handlers
"""
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": SRC})


@METHODS
def test_logging_looks_as_ever(method):
    with level("tests.level", 15), Pool(1, context=method) as pool:
        found = pool.apply(logs.look_at_logging)
    assert found["handlers"] == []
    assert found["loader"] == "SourceFileLoader"
    assert found["same"] is True
    assert "_Finder" not in found["finders"]
    assert found["level"] == 15
    assert found["enabled"] is False


@METHODS
def test_a_worker_whose_initializer_configures_logging_logs_by_itself(kept, method, tmp_path):
    path = tmp_path / "log"
    with Pool(1, logs.configure, (str(path),), context=method) as pool:
        pool.apply(logs.log, ("one",))
        pool.apply(logs.log, ("two",), {"level": 10})
    assert path.read_text() == "WARNING one\nDEBUG two\n" if method != "fork" else "WARNING one\n" in path.read_text()
    assert kept.records == []


def test_the_cookbook_s_queue_gets_each_record_once(kept):
    queue = multiprocessing.get_context("spawn").Queue()
    with Pool(1, logs.configure_with_a_queue, (queue,)) as pool:
        pool.apply(logs.log, ("one",))
        assert queue.get(timeout=10).getMessage() == "one"
    assert queue.empty()
    assert kept.records == []
    queue.close()
    queue.join_thread()


@METHODS
def test_a_logger_that_has_a_handler_in_the_worker_is_served_there(method, tmp_path):
    """As one that a module gives itself when it is imported, here and there: no line twice, none lost."""
    path, root, own = tmp_path / "log", Kept(), Kept()
    logging.getLogger("tests.own").addHandler(own)
    logging.root.addHandler(root)
    try:
        with Pool(1, logs.give_one_logger_a_handler, (str(path),), context=method) as pool:
            pool.apply(logs.log, ("one", "tests.own.below"))
    finally:
        logging.root.removeHandler(root)
        logging.getLogger("tests.own").removeHandler(own)
    assert path.read_text() == "one\n"
    assert root.texts == ["one"]
    assert own.texts == []


def test_null_handlers_keep_nothing_back(kept):
    with Pool(1, logs.be_quiet_as_a_library) as pool:
        pool.apply(logs.log, ("one",))
    assert kept.texts == ["one"]


def test_a_pool_inside_a_worker(kept):
    with Pool(1) as pool:
        pool.apply(nested, ("deep",))
    assert kept.texts == ["deep"] * 3
    assert len({record.process for record in kept.records}) == 3


def nested(text):
    for method in ("forkserver", "spawn", "fork"):
        with Pool(1, context=method) as pool:
            pool.apply(logs.log, (text,))


# ---- warnings --------------------------------------------------------------------------------------------------------


@METHODS
def test_pytest_sees_them(method):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        with Pool(1, context=method) as pool, pytest.warns(UserWarning, match="careful") as caught:
            pool.apply(logs.warn, ("careful",))
    [warning] = caught
    assert warning.filename == logs.__file__
    assert warning.lineno == logs.warn.__code__.co_firstlineno + 1


def test_catch_warnings_and_capture_warnings(kept):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Pool(1) as pool:
            pool.map(logs.warn, ["one", "two"])
            pool.apply(logs.warn_caller)
            pool.apply(logs.warn_with, ("peculiar",))
            pool.apply(logs.warn_with, ("unportable",))
            assert pool.apply(logs.warn_and_catch) == ["caught"]
    assert [(warning.category, str(warning.message)) for warning in caught[:3]] == [
        (UserWarning, "one"),
        (UserWarning, "two"),
        (UserWarning, "about the caller"),
    ]
    assert caught[2].filename.endswith("lanes.py")  # which called the function
    assert type(caught[3].message) is logs.Peculiar
    assert caught[3].message.two == "two"
    assert (caught[4].category, str(caught[4].message)) == (DeprecationWarning, "old")
    assert len(caught) == 5


def test_each_location_is_shown_once_by_all_workers_together(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(
        "import warnings, os, sys\n"
        "from elsewhere import Pool\n"
        "def work(n):\n"
        "    warnings.warn('careful')\n"
        "    return os.getpid()\n"
        "with Pool(2) as pool:\n"
        "    seen = set()\n"
        "    while len(seen) < 2:\n"
        "        seen |= set(pool.map(work, range(50)))\n"
        "with Pool(2) as pool:\n"
        "    pool.map(work, range(50))\n"
    )
    run = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": SRC}, check=True
    )
    assert run.stderr == f"{script}:4: UserWarning: careful\n  warnings.warn('careful')\n"


def test_an_error_filter_raises_in_the_call():
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        with Pool(1) as pool, pytest.raises(DeprecationWarning, match="old"):
            pool.apply(logs.warn_as_an_error, ("old",))


def test_an_error_filter_that_came_later_shows_it():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Pool(1) as pool:
            warnings.simplefilter("error")
            assert pool.apply(logs.warn, ("careful",)) > 0
    assert [str(warning.message) for warning in caught] == ["careful"]


def test_logging_capture_warnings():
    handler = Kept()
    logging.getLogger("py.warnings").addHandler(handler)
    logging.captureWarnings(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(False)
            logging.captureWarnings(True)
            with Pool(1) as pool:
                pool.apply(logs.warn, ("careful",))
    finally:
        logging.captureWarnings(False)
        logging.getLogger("py.warnings").removeHandler(handler)
    assert "UserWarning: careful" in handler.texts[0]

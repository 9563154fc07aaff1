"""What a hacked host logs and warns of: it is shown, and does nothing else."""

import io
import logging
import pickle
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.pool.places import relay
from elsewhere.runtime.far.opening import Opening
from elsewhere.runtime.far.opening.records import file_of, record_of, text_of

opening = Opening(lambda token: None, lambda module: False, trust=False)
RECORD, WARNING = 0, 1
HONEST = {"name": "there", "levelno": 40, "levelname": "ERROR", "msg": "%s is %d", "args": ("x", 5), "extra": [1]}


@pytest.fixture
def shown():
    """What a plain handler of the root logger writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    logging.root.addHandler(handler)
    yield stream
    logging.root.removeHandler(handler)


def log(state, taken=()):
    relay.handle(RECORD, pickle.dumps((state, {}, list(taken)), 4), None, opening.plain, "web1")


def test_a_record_comes_as_it_was(shown):
    log(HONEST)
    assert shown.getvalue() == "ERROR there [web1] x is 5\n"
    assert record_of(HONEST)["extra"] == [1]
    assert record_of(HONEST)["args"] == ("x", 5)


def loop():
    items: list = []
    items.append(items)
    return items


def often():
    items: list = [1]
    for _ in range(60):
        items = [items, items]
    return items


def wide():
    items: list = [1] * 1000
    for _ in range(2):
        items = [items] * 1000
    return items


@pytest.mark.parametrize(
    "change",
    [
        {"msg": "%999999999d", "args": (5,)},
        {"msg": "%*d", "args": (999999999, 5)},
        {"msg": "%.999999999f", "args": (5.0,)},
        {"msg": "%.*f", "args": (999999999, 5.0)},
        {"msg": "%(a)s" * 700, "args": {"a": "x" * 1_000_000}},
        {"msg": "%s", "args": (loop(),)},
        {"msg": "%s", "args": (often(),)},
        {"msg": "%s", "args": {"a": often()}},
        {"msg": "%s", "args": (wide(),)},
        {"msg": "%(" * 100_000, "args": (1,)},
        {"msg": "%s %s", "args": (1,)},
        {"msg": 5, "args": "abc"},
        {"extra": often()},
    ],
    ids=lambda change: repr(change.get("msg"))[:20],
)
def test_nothing_grows(shown, change, capsys):
    log(HONEST | change)
    assert len(shown.getvalue()) < 500_000
    assert "[web1]" in shown.getvalue() or "Logging error" in capsys.readouterr().err


def test_nothing_is_obeyed(shown):
    log(HONEST | {"msg": "\x1b[2Jgone\n%s", "args": ("\x1b]0;title\x07",), "name": "a\x1bb", "levelname": "\x1b"})
    assert "\x1b" not in shown.getvalue()
    assert "\x07" not in shown.getvalue()
    assert "\\x1b[2Jgone\n" in shown.getvalue()
    log(HONEST | {"exc_text": "Traceback\n  \x1b[31m"})
    assert "\x1b" not in shown.getvalue()


def test_no_logger_is_made_for_a_host():
    before = set(logging.Logger.manager.loggerDict)
    log(HONEST | {"name": "a." * 100_000})
    log(HONEST | {"name": "never.heard.of"})
    assert set(logging.Logger.manager.loggerDict) == before


def test_the_loggers_that_are_here_decide(shown):
    quiet = logging.getLogger("tests.far.quiet")
    quiet.setLevel(logging.CRITICAL)
    log(HONEST | {"name": "tests.far.quiet.child"})
    assert shown.getvalue() == ""
    log(HONEST | {"name": "root"})
    assert shown.getvalue() != ""


@given(
    st.dictionaries(
        st.sampled_from([*HONEST, "created", "lineno", "exc_info", "getMessage", "__class__", "filename", "thread"]),
        st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=2) | st.lists(st.integers())
        | st.tuples(st.text(max_size=3)) | st.dictionaries(st.text(max_size=3), st.integers()),
    )
)  # fmt: skip
def test_whatever_it_sends_is_a_record_or_nothing(state):
    found = record_of(state)
    record = logging.makeLogRecord({})
    record.__dict__.update(found)
    assert callable(record.getMessage)
    assert record.exc_info is None
    assert type(record.levelno) is int
    logging.Formatter("%(asctime)s %(levelname)s %(name)s %(filename)s").formatTime(record)


@pytest.mark.parametrize("state", [None, 5, [], {1: 2}])
def test_what_is_no_record_is_an_error(state):
    with pytest.raises(ValueError):
        record_of(state)


def test_a_warning_reads_no_file_of_ours(tmp_path):
    """Python shows the line of source that warned: of a device it would read for ever, of a pipe wait."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = (None, "be\x1bware", "UserWarning", "/dev/zero", 1, "there")
        relay.handle(WARNING, pickle.dumps(frame, 4), None, opening.plain, "web1")
    (warning,) = caught
    assert str(warning.message) == "[web1] be\\x1bware"
    assert warning.filename == "<web1> /dev/zero"
    assert warnings.formatwarning(warning.message, warning.category, warning.filename, warning.lineno)


def test_texts():
    assert text_of("a\n\tb\x1b\r") == "a\n\tb\\x1b\\x0d"
    assert file_of("../" * 1000, "web1").startswith("<web1> ../")

"""What a host logs and warns of does no harm to who reads it."""

from __future__ import annotations

import logging
import pickle
import string
import time
import warnings
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elsewhere.pool.far import tame
from elsewhere.pool.places import relay
from elsewhere.runtime.far.worker import RECORD, WARNING


def state(msg: Any, args: Any = None, **more: Any) -> dict[str, Any]:
    record = logging.LogRecord("work", logging.WARNING, "/srv/work.py", 3, msg, None, None)
    return {**record.__dict__, "args": args, **more}


def logged(caplog: Any, told: Any) -> list[logging.LogRecord]:
    caplog.clear()
    relay.handle(RECORD, pickle.dumps((told, {}, [])), None, pickle.loads, "web1")
    return list(caplog.records)


def test_each_line_has_the_hosts_name(caplog):
    (record,) = logged(caplog, state("a %s\nERROR root: %d", ("\x1b[2J", 3), extra="\x1b[0m"))
    assert record.getMessage() == "[web1] a \\x1b[2J\n[web1] ERROR root: 3"
    assert (record.host, record.extra, record.args) == ("web1", "\\x1b[0m", None)
    (record,) = logged(caplog, state("it failed", exc_text="Traceback\n\x07"))
    assert record.exc_text == "[web1] Traceback\n[web1] \\x07"


@pytest.mark.parametrize(
    ("msg", "args", "says"),
    [
        ("%999999999d", (1,), "[web1] %999999999d (1,)"),
        ("%.999999999f", (1.0,), "[web1] %.999999999f (1.0,)"),
        ("%*d", (999999999, 1), "[web1] %*d (999999999, 1)"),
        ("%(a(b)c)99999d", {"a(b)c": 1}, "[web1] %(a(b)c)99999d {'a(b)c': 1}"),
        ("%s %s", (1,), "[web1] %s %s (1,)"),
        ("%d", ("x",), "[web1] %d ('x',)"),
        ("100%", (1,), "[web1] 100% (1,)"),
        ("%5.2f%% of %(n)", (1.0,), "[web1] %5.2f%% of %(n) (1.0,)"),
    ],
)
def test_what_cannot_be_formatted_or_would_fill_the_memory_is_shown_as_it_came(caplog, msg, args, says):
    (record,) = logged(caplog, state(msg, args))
    assert record.getMessage() == says


@given(st.text("%s(d)0123456789.*# +-a", max_size=30), st.tuples() | st.tuples(st.integers()) | st.just({"a": 1}))
@example("%" + "(" * 5000, (1,))
@example("%()" * 5000, (1,))
@example("% " * 5000, (1,))
def test_whatever_it_asks_for_is_short_and_soon_there(text, args):
    began = time.process_time()
    found = tame._message(text, args)
    assert len(found) <= len(text) * 1000 + 100
    assert time.process_time() - began < 5


@given(st.text(string.ascii_letters + " %sd", max_size=20), st.tuples(st.integers() | st.text(max_size=5)))
def test_what_others_write_is_formatted_as_ever(text, args):
    try:
        expected = text % args
    except (TypeError, ValueError):
        return
    assert tame._message(text, args) == expected


@pytest.mark.parametrize("told", [{}, [], {"msg": "x"}, state("x", levelno="high"), state("x", created=None)])
def test_what_is_no_record_is_dropped(caplog, capsys, told):
    assert logged(caplog, told) == []


def test_a_record_that_hides_its_methods(caplog):
    (record,) = logged(caplog, state("x", getMessage=3))
    assert record.getMessage() == "[web1] x"


def test_no_file_is_read_for_a_warning(monkeypatch):
    shown: list[Any] = []
    monkeypatch.setattr(warnings, "showwarning", lambda *told: shown.append(told))
    told = (pickle.dumps(UserWarning("\x1b[2J")), "old \x1b[2J", "DeprecationWarning", "/dev/zero", 1, "work")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        relay.handle(WARNING, pickle.dumps(told), None, pickle.loads, "web1")
    (one,) = shown
    assert (str(one[0]), one[1], one[2]) == ("[web1] old \\x1b[2J", DeprecationWarning, "</dev/zero on web1>")
    text = warnings.formatwarning(*one[:4])  # it would look into the file
    assert text.startswith("</dev/zero on web1>:1: DeprecationWarning: [web1] old")


def test_what_was_shown_is_not_remembered_for_ever():
    for number in range(tame.MOST_WARNINGS + 2):
        tame.registry_of("web9")[number] = True
    assert len(tame.registry_of("web9")) <= tame.MOST_WARNINGS + 1

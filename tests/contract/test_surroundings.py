"""What is around a call: what it prints, logs and warns of, what it finds there, and which modules it can import."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import sys

import pytest

from elsewhere import CallTimeout
from tests.contract.work import (
    folder,
    log,
    modules_called,
    only,
    pid_of,
    say,
    variable,
    warn,
    write,
)


def printed(pool, fn, *arguments):
    """What is written to stdout and stderr here while a call is made."""
    with contextlib.redirect_stdout(io.StringIO()) as stdout, contextlib.redirect_stderr(io.StringIO()) as stderr:
        pool.apply(fn, arguments)
    return {"stdout": stdout.getvalue(), "stderr": stderr.getvalue()}


# ---- what it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stream", "other"), [("stdout", "stderr"), ("stderr", "stdout")])
def test_what_a_call_prints_is_printed_here_before_it_is_over(pool, place, stream, other):
    found = printed(pool, say, "one\ntwo ä€", stream)
    assert re.fullmatch(f"{place.prefix}one\n{place.prefix}two ä€\n", found[stream])
    assert found[other] == ""


@only(raw=True)
def test_what_is_no_text_and_what_terminals_obey_is_printed_as_it_is(pool, place):
    found = printed(pool, say, "\udc80 \x1b[31mred\a")["stdout"]
    assert re.fullmatch(f"{place.prefix}\udc80 \x1b\\[31mred\a\n", found)


@only(raw=False)
def test_what_is_no_text_and_what_terminals_obey_is_shown(pool, place):
    found = printed(pool, say, "\udc80 \x1b[31mred\a")["stdout"]
    assert re.fullmatch(rf"{place.prefix}\\x80 \\x1b\[31mred\\x07\n", found)


def test_lines_of_many_calls_do_not_mix(pool, place):
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        pool.starmap(say, [(f"{x} {'x' * 200}\n",) for x in range(50)])
    lines = [
        re.fullmatch(rf"{place.prefix}(\d+) x{{200}}|{place.prefix}", line)
        for line in stdout.getvalue().split("\n")[:-1]
    ]
    assert all(lines)
    assert sorted(int(line[1]) for line in lines if line[1]) == list(range(50))


def test_a_line_that_is_not_ended_comes_too(pool, place):
    assert re.fullmatch(f"{place.prefix}not ended\n?", printed(pool, write, "not ended")["stdout"])


def test_what_a_call_logs_goes_to_the_logger_of_that_name(pool, place, caplog):
    pool.apply(log, ("tests.of.contract", logging.WARNING, "look here"))
    (record,) = [record for record in caplog.records if record.name == "tests.of.contract"]
    assert record.levelno == logging.WARNING
    assert record.funcName == "log"
    assert re.fullmatch(f"{place.prefix}look here", record.getMessage())


def test_levels_are_the_callers(make_pool, caplog):
    with caplog.at_level(logging.DEBUG, "tests.of.contract"):
        pool = make_pool(1)
        pool.apply(log, ("tests.of.contract", logging.DEBUG, "seen"))
        pool.apply(log, ("tests.of.another", logging.DEBUG, "not seen"))
    assert [record.name for record in caplog.records if record.name.startswith("tests.of.")] == ["tests.of.contract"]


def test_what_a_call_warns_of_is_warned_of_here(make_pool):
    with pytest.warns(UserWarning, match="careful") as caught:  # there, too: the filters are those of this moment
        make_pool(1).apply(warn, ("careful",))
    assert [warning.category for warning in caught] == [UserWarning]


# ---- what it finds ---------------------------------------------------------------------------------------------------


@only(isolated=True)
def test_calls_are_in_other_processes(pool):
    assert os.getpid() not in pool.map(pid_of, range(10))


@only(isolated=True, inherits=True)
def test_workers_have_the_callers_environment_and_folder(make_pool, monkeypatch, tmp_path):
    monkeypatch.setenv("ELSEWHERE_OF_THE_CALLER", "yes")
    monkeypatch.chdir(tmp_path)
    pool = make_pool(1)
    assert pool.apply(variable, ("ELSEWHERE_OF_THE_CALLER",)) == "yes"
    assert pool.apply(folder) == str(tmp_path)


@only(inherits=False)
def test_workers_have_their_own_environment_and_folder(make_pool, monkeypatch, tmp_path):
    monkeypatch.setenv("ELSEWHERE_OF_THE_CALLER", "yes")
    monkeypatch.chdir(tmp_path)
    pool = make_pool(1)
    assert pool.apply(variable, ("ELSEWHERE_OF_THE_CALLER",)) is None
    assert pool.apply(folder) != str(tmp_path)


@only(inherits=False)
def test_nothing_of_ours_is_imported_there(pool):
    assert pool.apply(modules_called, ("elsewhere",)) == []


# ---- modules of the caller's own -------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A package and a module beside it that only the caller has."""
    package = tmp_path / "package_of_the_caller"
    package.mkdir()
    (package / "__init__.py").write_text("from .inner import FACTOR\n")
    (package / "inner.py").write_text("import module_of_the_caller\nFACTOR = module_of_the_caller.THREE\n")
    (package / "calls.py").write_text(
        "from . import FACTOR\n\nclass Own(Exception):\n    pass\n\n"
        "def times(x):\n    return FACTOR * x\n\n"
        "def late(x):\n    from package_of_the_caller import later\n    return later.times(x)\n\n"
        "def bad(x):\n    raise Own(x)\n"
    )
    (package / "later.py").write_text("def times(x):\n    return 7 * x\n")
    (package / "pooled.py").write_text(
        "import elsewhere\nfrom elsewhere import CallTimeout, Pool\nfrom tests.contract.work import hold\n\n"
        "def times(x):\n    return 9 * x\n\n"
        "def make():\n    return repr(Pool(1, where='inline'))\n\n"
        "def wait(gate):\n    try:\n        hold(gate)\n    except CallTimeout as error:\n"
        "        gate.note('caught', isinstance(error, elsewhere.CallTimeout))\n        raise\n"
    )
    (tmp_path / "module_of_the_caller.py").write_text("THREE = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    from package_of_the_caller import calls  # type: ignore[import-not-found]  # it was written a moment ago

    yield calls
    for name in [*modules_called("package_of_the_caller"), "module_of_the_caller"]:
        del sys.modules[name]


def test_modules_of_the_caller_can_be_imported_there(make_pool, own):
    pool = make_pool(2)
    assert pool.map(own.times, range(4)) == [0, 3, 6, 9]
    assert pool.apply(own.late, (2,)) == 14
    assert pool.submit(lambda x: own.times(x) + 1, 1).result() == 4


def test_errors_of_such_modules_arrive_as_themselves(make_pool, place, own):
    with pytest.raises(own.Own) as caught:
        make_pool(1).apply(own.bad, (5,))
    assert caught.value.args == (5,)
    if place.isolated:
        assert "raise Own(x)" in str(caught.value.__cause__)  # the source is known, for the traceback


def test_a_module_may_import_elsewhere_also_where_it_is_not(make_pool, own):
    from package_of_the_caller import pooled

    assert make_pool(1).map(pooled.times, [1, 2]) == [9, 18]


@only(kills=True)
def test_what_interrupts_a_call_can_be_caught_there_by_its_name(make_pool, own, gate):
    from package_of_the_caller import pooled

    pool = make_pool(1, grace=20.0)
    with pytest.raises(CallTimeout):
        pool.options(timeout=0.5).submit(pooled.wait, gate).result()
    gate.wait_for("caught", True)


@only(inherits=False, trusted=False)
def test_what_is_not_there_says_so_when_it_is_used(make_pool, own):
    from package_of_the_caller import pooled

    with pytest.raises(RuntimeError, match=r"elsewhere.Pool is not here: .* has no elsewhere"):
        make_pool(1).apply(pooled.make)

"""The benchmark of the classic Pool programs: what it measures, and that a program which fails has no figure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.classic import __main__ as program
from benchmarks.classic import runs
from benchmarks.classic.goals import GOALS
from benchmarks.classic.page import HOW, page
from tests.examples.classic import text_of

FIGURES = {"its sleeping": 4.0, "multiprocessing": 4.1, "elsewhere": 4.2}


def test_each_row_is_a_program_and_has_goals():
    assert set(runs.IDEAL) == set(HOW) == {goal.row for goal in GOALS}
    for name, seconds in runs.IDEAL.items():
        text = text_of(f"pool_{name}")
        assert f": {seconds:g} seconds. See" in text  # as its docstring says
        assert "Pool(5)" in text
        assert "range(10)" in text


def test_a_round_runs_each_program_with_both_libraries(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "APART", 0.0)
    monkeypatch.setattr(runs, "text_of", lambda name: text_of(name).replace("time.sleep(2)", "time.sleep(0.01)"))
    found = runs.one_round(["callback", "results_after"], tmp_path, turned=True)
    assert set(found) == {"callback", "results_after"}
    for figures in found.values():
        assert set(figures) == {"multiprocessing", "elsewhere"}
        assert min(figures.values()) > 0
    (ours,) = tmp_path.glob("pool_callback_elsewhere.py")
    assert "from elsewhere import Pool\n" in ours.read_text()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("print(1)", "its status is 0: 1"),
        ("raise SystemExit('why')", "its status is 1: why"),
        ("import signal; signal.pause()", r"did not end within 0\.5 s"),
    ],
)
def test_a_program_that_fails_has_no_figure(tmp_path: Path, monkeypatch, text, says):
    monkeypatch.setattr(runs, "APART", 0.0)
    monkeypatch.setattr(runs, "PATIENCE", 0.5 if "pause" in text else 60.0)
    monkeypatch.setattr(runs, "text_of", lambda name: text)
    with pytest.raises(runs.Failed, match=f"pool_sync with multiprocessing: .*{says}"):
        runs.one_round(["sync"], tmp_path)


def test_figures_are_the_least_and_the_page_has_them():
    rounds = [{name: {"multiprocessing": 4.0 + n, "elsewhere": 5.0 + n} for name in runs.IDEAL} for n in (9, 1, 4)]
    found = program.least(rounds)
    assert found["sync"] == {"its sleeping": 10.0, "multiprocessing": 5.0, "elsewhere": 6.0}
    text = page(found, 3)
    assert "| `pool_sync.py` | synchronous, one call after the other | 10 | 5.00 | 6.00 |" in text
    assert text.count("**no**") + text.count("| yes |") == len(GOALS)
    assert "**no**" in text


def test_missed_goals_are_told(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(program, "one_round", lambda names, folder, turned: {"sync": dict(FIGURES, elsewhere=99.0)})
    assert program.main(["--quick", "--rows", "sync", "--json", os.fspath(tmp_path / "found.json")]) == 1
    assert "89.00 s" in capsys.readouterr().out


def test_wrong_usage_is_told(capsys):
    for words, says in ((["--rows", "zzz"], "no row 'zzz'"), (["--write", "--rows", "sync"], "all")):
        with pytest.raises(SystemExit) as caught:
            program.main(words)
        assert caught.value.code == 2
        assert says in capsys.readouterr().err

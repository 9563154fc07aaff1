"""The rows of processes and shared data: their one shape, their part of the page, and that each can be measured."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.sharing.groups import GROUPS
from benchmarks.sharing.page import HEADING, section
from benchmarks.sharing.rows import Ask, Figure, Row, in_turns, lines, number, reduced
from tests.faults.helpers import ROOT

RATE, TIME = Row("rate", "Rate", "items/s", more=True), Row("time", "Time", "ms")


def test_above_one_is_better_whatever_is_measured():
    assert reduced(RATE, [Figure("rate", 200.0, 100.0)]).ratio == 2
    assert reduced(TIME, [Figure("time", 1.0, 2.0)]).ratio == 2


def test_the_ratio_is_that_of_turns_not_of_medians():
    turns = [Figure("rate", 10.0, 5.0), Figure("rate", 100.0, 50.0), Figure("rate", 30.0, 90.0)]
    assert reduced(RATE, turns) == (30.0, 50.0, 2.0)


def test_turns_are_taken_by_both_and_begun_by_each():
    said = []

    def one(name, value):
        said.append(name)
        return value

    found = list(in_turns(TIME, Ask(3), lambda: one("ours", 1.0), lambda: one("theirs", 2.0)))
    assert found == [Figure("time", 1.0, 2.0)] * 3
    assert said == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]


def test_a_table_has_the_rows_that_have_figures():
    figures = {"time": [Figure("time", 0.5, None)], "rate": [Figure("rate", 2_500_000.0, 120_000.0)]}
    assert lines((RATE, TIME, Row("other", "Other", "ms")), figures)[1:] == [
        ["Rate, items/s", "2.5M", "120k", "20.83x"],
        ["Time, ms", "0.5", "none", ""],
    ]


def test_numbers_have_three_digits():
    assert [number(value, "items/s") for value in (1.234, 999.0, 12_345.0, 1.5e6)] == ["1.23", "999", "12.3k", "1.5M"]
    assert [number(value, "µs") for value in (0.04321, 12.345, 1234.5)] == ["0.0432", "12.3", "1,234"]


def test_names_and_numbers_are_unique():
    rows = [row.name for group in GROUPS for row in group.rows]
    assert len(rows) == len(set(rows))
    assert [group.number for group in GROUPS] == list(range(11, 11 + len(GROUPS)))  # the pool's are 1 to 10
    assert len({group.name for group in GROUPS}) == len(GROUPS)


def test_the_page_says_where_it_was_measured():
    described = {"machine": "a machine", "versions": "Python 3", "when": "today", "quick": True, "turns": 7}
    text = section({row.name: [Figure(row.name, 1.0, 2.0)] for group in GROUPS for row in group.rows}, described)
    assert text.startswith(HEADING)
    assert "a machine, Python 3; today, quick" in text
    for group in GROUPS:
        for row in group.rows:
            assert f"| {row.title}, {row.unit} | 1 | 2 | " in text


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_a_group_measures_all_its_rows(group, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "benchmarks.sharing.measure", group.name, str(out), "1", "quick"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    figures = [Figure(*json.loads(line)) for line in out.read_text().splitlines()]
    assert {figure.row for figure in figures} == {row.name for row in group.rows}
    assert all(figure.ours > 0 for figure in figures)

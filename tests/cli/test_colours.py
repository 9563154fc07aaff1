"""Colours and bars that move are for terminals: not for pipes, nor where ``NO_COLOR`` or ``TERM=dumb`` forbids them."""

from __future__ import annotations

import io
import re

import pytest

from elsewhere.progress import colours
from tests.cli.helpers import command, shell
from tests.cli.surroundings import on_terminal

ESCAPE = "\x1b"
COLOURED = re.compile(r"\x1b\[(?:3|9)\d")  # what begins a colour
DOCTOR = command("doctor", "numpy")
MAP = command("map", "math:sqrt", "4", "9", "-o", "/dev/null")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "terminal", "pipe"),
    [
        ({"TERM": "xterm"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({}, False, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, False),
        ({"TERM": "xterm", "FORCE_COLOR": "1"}, True, True),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
        ({"TERM": "xterm", "FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_where_they_are_shown(variables, terminal, pipe, monkeypatch):
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert colours(Terminal()) is terminal
    assert colours(io.StringIO()) is pipe


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_the_doctor_on_a_terminal(variables, coloured, tmp_path):
    code, shown = on_terminal(DOCTOR, cwd=tmp_path, **variables)
    assert code == 0
    assert bool(COLOURED.search(shown)) is coloured
    assert "numpy" in shown


def test_the_doctor_in_a_pipe(tmp_path):
    assert ESCAPE not in shell("doctor", "numpy", cwd=tmp_path, TERM="xterm").stdout
    assert COLOURED.search(shell("doctor", "numpy", cwd=tmp_path, TERM="dumb", FORCE_COLOR="1").stdout)


class TestBar:
    def test_moves_on_a_terminal(self, tmp_path):
        code, shown = on_terminal(MAP, cwd=tmp_path)
        assert code == 0
        assert COLOURED.search(shown)
        assert "2/2" in shown

    def test_has_no_colours_where_they_are_forbidden(self, tmp_path):
        code, shown = on_terminal(MAP, cwd=tmp_path, NO_COLOR="1")
        assert (code, COLOURED.search(shown)) == (0, None)
        assert "2/2" in shown

    def test_is_a_plain_line_on_a_dumb_terminal(self, tmp_path):
        code, shown = on_terminal(MAP, cwd=tmp_path, TERM="dumb")
        assert (code, ESCAPE in shown) == (0, False)
        assert "2/2" in shown

    @pytest.mark.parametrize("force", [{}, {"FORCE_COLOR": "1"}])
    def test_is_a_plain_line_in_a_pipe(self, tmp_path, force):
        ended = shell(*MAP[3:], cwd=tmp_path, TERM="xterm", **force)
        assert ended.returncode == 0
        assert ESCAPE not in ended.stderr
        assert "2/2" in ended.stderr


@pytest.mark.parametrize("args", [["--help"], ["map", "--help"], ["--version"], ["mpa"]])
def test_words_are_never_coloured(args, tmp_path):
    _, shown = on_terminal(command(*args), cwd=tmp_path)
    assert ESCAPE not in shown

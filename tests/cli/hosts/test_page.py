"""docs/hosts-shell.md: what it shows can be typed, and it names each option."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from elsewhere.cli.group import group, run

PAGE = Path(__file__).parents[3] / "docs" / "hosts-shell.md"
SHOWN = re.findall(r"^\$ elsewhere (.+)$", PAGE.read_text(), re.MULTILINE)


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "dist").mkdir()
    (tmp_path / "motd").touch()
    (tmp_path / "check.py").write_text("def status(site):\n    return len(site)\n")
    (tmp_path / "sites.txt").write_text("a\nb\n")
    (tmp_path / "inventory").write_text("[web]\nweb[1:3]\n")


@pytest.mark.parametrize("line", SHOWN)
def test_what_is_shown_can_be_typed(line: str, capfd: pytest.CaptureFixture[str]) -> None:
    verb, *words = shlex.split(line)
    assert run([verb, "-n", *words]) == 0
    out, err = capfd.readouterr()
    assert "hosts " in out
    assert err == ""


def test_each_option_is_named() -> None:
    text = PAGE.read_text()
    for verb in ("run", "put", "get"):
        command = group.get_command(click.Context(group), verb)
        assert command is not None
        for option in command.params:
            if isinstance(option, click.Option) and option.name not in {"help", "overwrite", "as_json"}:
                assert any(f"`{name}" in text or f" {name}" in text for name in option.opts), option.opts


def test_each_option_that_says_where_functions_run_is_named() -> None:
    text = PAGE.read_text()
    assert "`--where`" in text
    for place in ("processes", "threads", "dask", "dask://scheduler:8786", "dask+tls://scheduler:8786"):
        assert f"`{place}`" in text

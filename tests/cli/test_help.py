"""``--help`` fits a screen and has an example that can be typed; ``--help-all`` has all the rest; ``--version``."""

from __future__ import annotations

import platform
import shlex

import click
import pytest

from elsewhere import __version__
from elsewhere.cli.group import EXAMPLES, VERBS, group, run
from elsewhere.cli.help import Verb
from tests.cli.test_options import OURS, command, options_of

SCREEN = 40  # lines
WIDE = 80  # columns


@pytest.fixture(autouse=True)
def a_usual_screen(monkeypatch):
    monkeypatch.setenv("COLUMNS", str(WIDE))


def shown(capfd, *args):
    assert run(args) == 0
    out, err = capfd.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize("verb", ["", *OURS])
@pytest.mark.parametrize("spelled", ["-h", "--help"])
def test_it_fits_a_screen_and_has_an_example(verb, spelled, capfd):
    text = shown(capfd, *filter(None, [verb, spelled]))
    lines = text.splitlines()
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) < WIDE
    assert "\x1b" not in text
    examples = EXAMPLES if not verb else command(verb).examples
    assert examples
    assert all(f"\n  {example}\n" in text for example in examples)


@pytest.mark.parametrize("verb", OURS)
def test_the_long_page_has_every_option_and_every_word(verb, capfd):
    if command(verb).first is None:
        text = shown(capfd, verb, "--help")
    else:
        assert f"{verb} --help-all" in shown(capfd, verb, "--help")
        text = shown(capfd, verb, "--help-all")
    for option in options_of(verb).values():
        for spelled in (*option.opts, *option.secondary_opts):
            assert f" {spelled}" in text
    words = " ".join(text.split())
    assert "Exit code: " in words or verb == "completion"
    assert max(map(len, text.splitlines())) < WIDE


@pytest.mark.parametrize("verb", OURS)
def test_what_the_first_page_shows_is_there(verb):
    first = command(verb).first
    assert first is None or set(first) <= set(options_of(verb))


@pytest.mark.parametrize("example", [each for verb in OURS for each in command(verb).examples] + list(EXAMPLES))
def test_an_example_can_be_typed(example):
    """Click reads it without complaint; whether the files are there is another question."""
    if example.startswith("eval"):
        return
    program, verb, *words = shlex.split(example)
    assert program == "elsewhere"
    found = command(verb)
    with found.make_context(verb, words, parent=click.Context(group)) as ctx:
        assert isinstance(ctx.command, Verb)


def test_the_page_of_all_verbs_names_them(capfd):
    text = shown(capfd, "--help")
    assert [verb for verb in VERBS if f"\n  {verb} " not in text] == []


@pytest.mark.parametrize("spelled", ["--version", "-V"])
def test_versions(spelled, capfd):
    text = shown(capfd, spelled)
    assert text == (
        f"elsewhere {__version__}, Python {platform.python_version()} ({platform.python_implementation()}), "
        f"{platform.system()} {platform.machine()}\n"
    )


@pytest.mark.parametrize(
    ("line", "nearest"),
    [
        ("mpa", "'map'"),
        ("doktor", "'doctor'"),
        ("map math:sqrt --jbos 3", "--jobs"),
        ("run -H web1 --time 3 -- id", "--timeout"),
        ("serve x:y --binds z", "--bind"),
        ("doctor fleat", "'fleet'"),
        ("completion tcsh", "'bash', 'zsh', 'fish'"),
    ],
)
def test_the_nearest_is_named(line, nearest, capfd):
    assert run(line.split()) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert nearest in err

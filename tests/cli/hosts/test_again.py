"""What is said of how to go on: the same command, whatever it looked like, with other hosts or with --resume."""

from __future__ import annotations

import shlex

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.cli.group import group
from elsewhere.cli.hosts.again import CHOOSE, resumed, with_hosts, without


def verb(name: str) -> click.Command:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return command


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("run -H a,b -- id", "run -H 'web[1-2]' -- id"),
        ("run -Ha --hosts=b --hosts c -g d -x e id -H f", "run -H 'web[1-2]' id -H f"),
        ("run -qHa -nq -qnx b -i inv --timeout 3 -- id", "run -H 'web[1-2]' -q -nq -qn -i inv --timeout 3 -- id"),
        ("run -j 3 -pH -H a --env -H -- id", "run -H 'web[1-2]' -j 3 -p H --env -H -- id"),
        ("run -H a --cwd=/x --pty uptime", "run -H 'web[1-2]' --cwd=/x --pty uptime"),
        ("run -H", "run -H 'web[1-2]'"),
    ],
)
def test_other_hosts(before: str, after: str) -> None:
    assert with_hosts("elsewhere", before.split(), verb("run"), ["web1", "web2"]) == f"elsewhere {after}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("run -H a -o f -- id", "run --resume -H a -o f -- id"),
        ("run --overwrite -H a -o f -- id --overwrite", "run --resume -H a -o f -- id --overwrite"),
        ("run --retry-failed --resume -H a -o f id", "run --resume -H a -o f id"),
    ],
)
def test_the_same_with_resume(before: str, after: str) -> None:
    assert resumed("python -m elsewhere", before.split(), verb("run")) == f"python -m elsewhere {after}"


WORDS = st.sampled_from(
    ["-H", "a", "--hosts", "--hosts=b", "-Hc", "-g", "d", "-xe", "-q", "-n", "-qn", "-j", "3", "-j3", "--cwd", "/x",
     "-i", "--pty", "--json", "--timeout=4", "-qHz"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=8))
def test_all_that_click_understands_is_kept(words: list[str]) -> None:
    """Whatever it looked like: click reads the same options in what is left, without those that choose hosts."""
    command = verb("run")
    try:
        before = read(command, [*words, "--", "id"])
    except click.ClickException:
        return
    after = read(command, [*without(words, command, CHOOSE), "--", "id"])
    assert [after.pop(name) for name in CHOOSE] == [(), (), ()]
    assert after == {name: value for name, value in before.items() if name not in CHOOSE}


def read(command: click.Command, words: list[str]) -> dict[str, object]:
    return dict(command.make_context("run", words).params)


def test_what_is_said_can_be_pasted() -> None:
    said = with_hosts("elsewhere", ["run", "-H", "a", "--", "echo 'x y' $HOME"], verb("run"), ["b c"])
    assert shlex.split(said) == ["elsewhere", "run", "-H", "b c", "--", "echo 'x y' $HOME"]

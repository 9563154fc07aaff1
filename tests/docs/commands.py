"""Writes docs/reference/cli.md, each command in its own words: `python -m tests.docs.commands`."""

from __future__ import annotations

from pathlib import Path

import click
from click.testing import CliRunner

from elsewhere.cli.group import group

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"

TOP = """\
# The command line

What each command says under `--help`. The pages that show them at work: [services](../services.md),
[hosts on the shell](../hosts-shell.md), [task files of Fabric](../fabric.md).

This page is written by `python -m tests.docs.commands`.
"""
WIDTH = 80  # columns


def page() -> str:
    """The whole page."""
    parts = [TOP, _block([])]
    for verb in group.list_commands(click.Context(group)):
        parts += [f"## elsewhere {verb}\n", _block([verb])]
    return "\n".join(parts)


def _block(words: list[str]) -> str:
    said = CliRunner().invoke(group, [*words, "--help"], prog_name="elsewhere", terminal_width=WIDTH, color=False)
    if said.exit_code:
        raise RuntimeError(f"elsewhere {' '.join(words)} --help ends with {said.exit_code}: {said.output}")
    return f"```text\n$ elsewhere {' '.join([*words, '--help'])}\n{said.output.rstrip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page())

"""The verb ``completion``: the script that lets a shell complete our command line."""

from __future__ import annotations

import click

from elsewhere.cli.completion.shells import SHELLS, script
from elsewhere.cli.help import Verb

__all__ = ["completion_command"]

HELP = """Print what lets Tab complete verbs, options, files, hosts of ~/.ssh/config and functions of Python files.

\b
bash: put  eval "$(elsewhere completion bash)"  into ~/.bashrc
zsh:  put  eval "$(elsewhere completion zsh)"   into ~/.zshrc
fish: elsewhere completion fish > ~/.config/fish/completions/elsewhere.fish

It begins to work in the next shell, or at once with the line below.
"""
EXAMPLES = ('eval "$(elsewhere completion bash)"',)


@click.command("completion", cls=Verb, help=HELP, examples=EXAMPLES)
@click.argument("shell", type=click.Choice([*SHELLS]))
def completion_command(shell: str) -> None:
    """See `HELP`."""
    click.echo(script(shell), nl=False)

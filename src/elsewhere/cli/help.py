"""What ``--help`` shows: a page that fits a screen, with an example; all that is left behind ``--help-all``; versions.

Rule: a verb says which of its options most people need (`first`); under which heading an option stands on the long page
is said here, by its name, for all verbs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import click

__all__ = ["HEADINGS", "HELP_NAMES", "Verb", "show_examples", "versions"]

HEADINGS: dict[str, tuple[str, ...]] = {
    "Inputs": ("source", "null", "json_input", "string", "keyword"),
    "What is done": (
        "addresses", "workers", "where", "listed", "bench", "cwd", "env", "passes_stdin", "pty", "detach",
        "mode", "checksum", "delete", "jobs", "timeout", "retries", "max_failures", "drain", "dry_run",
    ),
    "What is shown": ("as_json", "grouped", "unordered", "traceback", "page", "verbose", "quiet"),
    "Rows in a file": ("output", "resume", "retry_failed", "overwrite"),
    "Which hosts": ("hosts", "groups", "exclude", "files", "inventory", "identities"),
    "How hosts are reached": ("user", "port", "jump", "accept_new", "connect_timeout"),
    "As whom": ("sudo", "sudo_user", "sudo_group", "sudo_password_file"),
    "Who may come, and who is believed": ("token_file", "cert", "key", "ca", "insecure", "allowed_hosts"),
}  # fmt: skip
HELP_NAMES = ["-h", "--help"]
RANGE = re.compile(r"\s*\[[\d<=]*x[<>=\d]*\]$")  # click says [x>=1]; who gives another number is told


class Verb(click.Command):
    """A verb whose help fits a screen.

    Args:
        first: the names of the parameters that the first page shows, in this order; None shows all of them.
        examples: whole command lines.
        more: what only the long page says.
        others: as `click.Command`.
    """

    def __init__(
        self,
        *args: Any,
        first: Sequence[str] | None = None,
        examples: Sequence[str] = (),
        more: str = "",
        **others: Any,
    ) -> None:
        others["context_settings"] = {"help_option_names": HELP_NAMES, **others.get("context_settings", {})}
        super().__init__(*args, **others)
        self.first = first
        self.examples = tuple(examples)
        self.more = more

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own, and those about help."""
        params = super().get_params(ctx)
        return params if self.first is None else [*params, _help_all()]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The first page."""
        self._head(ctx, formatter, self.help or "")
        params = {param.name: param for param in self.params if isinstance(param, click.Option)}
        _list(ctx, formatter, "Options", [params[name] for name in (params if self.first is None else self.first)])
        if self.first is not None:
            formatter.write_paragraph()
            formatter.write_text(f"All options: {ctx.command_path} --help-all")

    def format_all(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The long page."""
        self._head(ctx, formatter, f"{self.help}\n\n{self.more}")
        left = {param.name: param for param in self.params if isinstance(param, click.Option)}
        for heading, names in HEADINGS.items():
            _list(ctx, formatter, heading, [left.pop(name) for name in names if name in left], long=True)
        _list(ctx, formatter, "Others", left.values(), long=True)

    def _head(self, ctx: click.Context, formatter: click.HelpFormatter, text: str) -> None:
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text.strip())
        show_examples(formatter, self.examples)


def show_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Whole lines, to be copied."""
    with formatter.section("Example" if len(examples) == 1 else "Examples"):
        for example in examples:
            formatter.write(f"{'':{formatter.current_indent}}{example}\n")


def _list(
    ctx: click.Context,
    formatter: click.HelpFormatter,
    heading: str,
    params: Iterable[click.Parameter],
    *,
    long: bool = False,
) -> None:
    rows = []
    for param in params:
        record = param.get_help_record(ctx)
        if record is not None:
            again = " May be repeated." if long and param.multiple else ""
            rows.append((record[0], RANGE.sub("", record[1]) + again))
    if rows:
        with formatter.section(heading):
            formatter.write_dl(rows)


def _help_all() -> click.Option:
    def show(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            formatter = ctx.make_formatter()
            assert isinstance(ctx.command, Verb)
            ctx.command.format_all(ctx, formatter)
            click.echo(formatter.getvalue().rstrip("\n"))
            ctx.exit()

    return click.Option(
        ["--help-all"], is_flag=True, is_eager=True, expose_value=False, callback=show, help="Show all options."
    )


def versions() -> str:
    """What a report of a problem should say."""
    import platform

    from elsewhere import __version__

    python = f"Python {platform.python_version()} ({platform.python_implementation()})"
    return f"elsewhere {__version__}, {python}, {platform.system()} {platform.machine()}"

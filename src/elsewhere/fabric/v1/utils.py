"""Saying something, and giving up."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable
from typing import Any

from elsewhere.fabric.v1 import colors, state
from elsewhere.fabric.v1.state import env, output
from elsewhere.fabric.v1.state.local import AliasDict, AttributeDict

__all__ = ["abort", "apply_lcwd", "error", "fastprint", "handle_prompt_abort", "indent", "isatty", "puts", "warn"]

_AttributeDict, _AliasDict = AttributeDict, AliasDict  # under these names in the original, and task files use them


def isatty(stream: Any) -> bool:
    """Is it a terminal?"""
    asked = getattr(stream, "isatty", None)
    return bool(asked()) if asked is not None else False


def abort(msg: Any) -> None:
    """Say that it is over, and why, and raise SystemExit(1), or ``env.abort_exception`` where that is set."""
    colour: Callable[[str], str] = colors.red if env.colorize_errors else str
    if output.aborts:
        sys.stderr.write(colour(f"\nFatal error: {msg}\n"))
        sys.stderr.write(colour("\nAborting.\n"))
    if env.abort_exception:
        raise env.abort_exception(msg)
    ending = SystemExit(1)
    ending.message = msg  # type: ignore[attr-defined]  # task files read it
    raise ending


def warn(msg: Any) -> None:
    """Say it on stderr, unless warnings are hidden."""
    if output.warnings:
        colour: Callable[[str], str] = colors.magenta if env.colorize_errors else str
        sys.stderr.write(colour(f"\nWarning: {msg}\n\n"))


def indent(text: Any, spaces: int = 4, strip: bool = False) -> str:
    """The text, or a list of lines, each line behind so many spaces; ``strip`` takes common spaces away first."""
    if not hasattr(text, "splitlines"):
        text = "\n".join(text)
    if strip:
        text = textwrap.dedent(text)
    margin = " " * spaces
    return margin + "\n".join(margin + line for line in text.splitlines()).strip()


def puts(text: Any, show_prefix: bool | None = None, end: str = "\n", flush: bool = False) -> None:
    """Print it, behind the host's name, unless what users print is hidden."""
    if show_prefix is None:
        show_prefix = env.output_prefix
    if output.user:
        prefix = f"[{env.host_string}] " if env.host_string and show_prefix else ""
        sys.stdout.write(f"{prefix}{text}{end}")
        if flush:
            sys.stdout.flush()


def fastprint(text: Any, show_prefix: bool = False, end: str = "", flush: bool = True) -> None:
    """Print it at once, with nothing before or behind."""
    puts(text, show_prefix=show_prefix, end=end, flush=flush)


def handle_prompt_abort(prompt_for: str) -> None:
    """Give up where nobody can be asked."""
    reason = f"Needed to prompt for {prompt_for} (host: {env.host_string}), but "
    if env.abort_on_prompts:
        abort(f"{reason}abort-on-prompts was set to True")
    if env.parallel:
        abort(f"{reason}input would be ambiguous in parallel mode")


def error(
    message: str,
    func: Callable[[str], Any] | None = None,
    exception: Any = None,
    stdout: str | None = None,
    stderr: str | None = None,
) -> Any:
    """Something has failed: `warn` of it where ``env.warn_only`` says so, else `abort`.

    Args:
        message: what.
        func: to be called with the text instead.
        exception: that was the reason.
        stdout, stderr: what was written, which is shown if it was hidden.
    """
    func = func or (warn if env.warn_only else abort)
    if output.exceptions or output.debug:
        message += f"\n\n{traceback.format_exc()}"
    elif exception is not None:
        reason = getattr(exception, "strerror", None)
        message += f"\n\nUnderlying exception:\n{indent(str(exception if reason is None else reason))}"
    if func is abort:
        if stdout and not output.stdout:
            message += _framed("Standard output", stdout)
        if stderr and not output.stderr:
            message += _framed("Standard error", stderr)
    return func(message)


def _framed(title: str, body: str) -> str:
    width = _pty_size()[1]
    side = "=" * int((width - len(title) - 2) / 2)
    return f"\n\n{side} {title} {side}\n\n{body}\n\n{'=' * width}"


def _pty_size() -> tuple[int, int]:
    """Rows and columns of our terminal; 24 and 80 where there is none."""
    if state.win32 or not isatty(sys.stdout):
        return 24, 80
    size = shutil.get_terminal_size((80, 24))
    return size.lines, size.columns


def apply_lcwd(path: str, env: Any) -> str:
    """A path here, as `lcd` has it."""
    return os.path.join(env.lcwd, path) if env.lcwd and not os.path.isabs(path) else path

"""The tasks as ``fab --list`` shows them, and one as ``fab -d`` does."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from elsewhere.fabric.v1 import state
from elsewhere.fabric.v1.main.discovery import is_task
from elsewhere.fabric.v1.task_utils import crawl
from elsewhere.fabric.v1.tasks.task import get_task_details
from elsewhere.fabric.v1.utils import _pty_size, abort, indent

__all__ = ["display", "list_commands", "show_commands"]

MORE = "..."
GAP = "  "


def _sorted(tasks: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Names of tasks, and of namespaces."""
    own = [name for name, value in tasks.items() if is_task(name, value)]
    return sorted(own), sorted(name for name, value in tasks.items() if name not in own and isinstance(value, Mapping))


def _names(tasks: Mapping[str, Any]) -> list[str]:
    """All names with dots; those of a level before those below."""
    found, spaces = _sorted(tasks)
    for space in spaces:
        inner = tasks[space]
        if getattr(inner, "default", None) is not None:
            found.append(space)
        found += [f"{space}.{name}" for name in _names(inner)]
    return found


def _normal(docs: bool = True) -> list[str]:
    names = _names(state.commands)
    width = max(map(len, names), default=0)
    room = _pty_size()[1] - 1 - len(MORE) - (width + len(GAP) + len(MORE))
    lines = []
    for name in names:
        doc = crawl(name, state.commands).__doc__ if docs else None
        first = next((line.strip() for line in doc.splitlines() if line), "") if isinstance(doc, str) else ""
        if doc and isinstance(doc, str):
            first = first if len(first) <= room else first[:room] + MORE
            lines.append(indent(name.ljust(width) + GAP + first))
        else:
            lines.append(indent(name))
    return lines


def _nested(tasks: Mapping[str, Any], level: int = 1) -> list[str]:
    own, spaces = _sorted(tasks)
    lines = [indent(name, spaces=level * 4) for name in own]
    for space in spaces:
        lines += [indent(f"{space}:", spaces=level * 4), *_nested(tasks[space], level + 1)]
    return lines


def list_commands(docstring: str | None, format_: str) -> list[str]:
    """The lines of ``--list``; `format_` is ``"short"``, ``"normal"`` or ``"nested"``."""
    if format_ == "short":
        return _names(state.commands)
    head = [docstring + ("" if docstring.endswith("\n") else "\n")] if docstring else []
    nested = format_ == "nested"
    head.append(f"Available commands{' (remember to call as module.[...].task)' if nested else ''}:\n")
    return head + (_nested(state.commands) if nested else _normal())


def show_commands(docstring: str | None, format: str, code: int = 0) -> NoReturn:  # noqa: A002 - the original's name
    """Print them, and exit."""
    print("\n".join(list_commands(docstring, format)))
    sys.exit(code)


def display(name: str) -> NoReturn:
    """Print what is known of a task, and exit."""
    task = crawl(name, state.commands)
    if task is None:
        names = "\n".join(_normal(docs=False))
        abort(f"Task '{name}' does not appear to exist. Valid task names:\n{names}")
    details = task.__details__() if hasattr(task, "__details__") else get_task_details(task)
    print(f"Displaying detailed information for task '{name}':\n\n{indent(details, strip=True)}\n")
    sys.exit(0)

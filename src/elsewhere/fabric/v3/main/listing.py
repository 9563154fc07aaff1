"""The tasks as ``--list`` shows them, and the help of the program and of one task."""

from __future__ import annotations

import inspect
import json
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

from elsewhere.fabric.v3.invoke.collection import Collection, helpline
from elsewhere.fabric.v3.invoke.exceptions import Exit
from elsewhere.fabric.v3.invoke.parser import ParserContext

__all__ = ["Listing", "print_help", "print_task_help"]

INDENT = "  "
DEEPER = "    "
GAP = 3


def print_help(core: ParserContext) -> None:
    """That of the program."""
    print("Usage: fab [--core-opts] task1 [--task1-opts] ... taskN [--taskN-opts]\n\nCore options:\n")
    _columns(core.help_tuples())


def print_task_help(context: ParserContext, task: Any) -> None:
    """That of one task."""
    options = context.help_tuples()
    print(f"Usage: fab [--core-opts] {context.name} {'[--options] ' if options else ''}[other tasks here ...]\n")
    print("Docstring:")
    doc = inspect.getdoc(task) or "none"
    print("\n".join(f"{INDENT}{line}" if line.strip() else "" for line in doc.splitlines()))
    print("\nOptions:")
    if options:
        _columns(options)
    else:
        print(f"{INDENT}none\n")


def _columns(rows: Sequence[tuple[str, str | None]]) -> None:
    width = max(len(name) for name, _ in rows)
    room = shutil.get_terminal_size((80, 24)).columns - width - len(INDENT) - GAP - 1
    for name, text in rows:
        head = f"{INDENT}{name.ljust(width)}{' ' * GAP}"
        lines = textwrap.TextWrapper(width=max(room, 10)).wrap(text or "")
        print(f"{head}{lines[0]}" if lines else head.rstrip())
        for line in lines[1:]:
            print(f"{' ' * len(head)}{line}")
    print()


class Listing:
    """Tasks of a collection.

    Args:
        collection: all of them.
        root: of which only this part is wanted.
        depth: so many levels; 0 for all.
        form: ``"flat"``, ``"nested"`` or ``"json"``.

    Raises:
        Exit: there is no such part.
    """

    def __init__(self, collection: Collection, root: Any, depth: int, form: str) -> None:
        self.root = root if isinstance(root, str) else None
        self.depth = depth
        self.form = form
        self.collection = collection
        if self.root:
            try:
                self.collection = collection.subcollection_from_path(self.root)
            except KeyError:
                raise Exit(f"Sub-collection '{self.root}' not found!") from None

    def print(self) -> None:
        """Print them.

        Raises:
            Exit: there are none, or they cannot be shown so.
        """
        if not self.collection:
            raise Exit(f"No tasks found in collection '{self.collection.name}'!")
        if self.form == "json":
            if self.depth:
                raise Exit("The --list-depth option is not supported with JSON format!")
            print(json.dumps(self.collection.serialized()))
        elif self.form in {"flat", "nested"}:
            self._rows()
        else:
            raise Exit(f"--list-format is flat, nested or json, not {self.form!r}")

    def _rows(self) -> None:
        specific = f" '{self.root}'" if self.root else ""
        notes = [f"depth={self.depth}"] if self.depth else []
        notes += ["'*' denotes collection defaults"] if self.form == "nested" else []
        told = f" ({'; '.join(notes)})" if notes else ""
        print(f"Available{specific} tasks{told}:\n")
        _columns(self._pairs(self.collection, []))
        if self.collection.default:
            print(f"Default{specific} task: {'.' if self.root else ''}{self.collection.default}\n")

    def _pairs(self, collection: Collection, above: list[str]) -> list[tuple[str, str | None]]:
        rows = [self._task(collection, above, name) for name in sorted(collection.tasks)]
        cut = bool(self.depth) and len(above) + 1 >= self.depth
        indent, path = len(above) * DEEPER, ".".join(above)
        for name, inner in sorted(collection.collections.items()):
            shown = f".{name}" if above or self.root else name
            if cut:
                counts = [(len(inner.tasks), "tasks"), (len(inner.collections), "collections")]
                shown += f" [{', '.join(f'{count} {what}' for count, what in counts if count)}]"
            if self.form == "nested":
                rows.append((indent + shown, helpline(inner)))
            elif cut:
                rows.append((path + shown, helpline(inner)))
            if not cut:
                rows += self._pairs(inner, [*above, name])
        return rows

    def _task(self, collection: Collection, above: list[str], name: str) -> tuple[str, str | None]:
        task = collection.tasks[name]
        is_default = name == collection.default
        dot = "." if above or self.root else ""
        shown = f"{dot}{name}"
        aliases = [f"{dot}{collection.transform(alias)}" for alias in sorted(task.aliases)]
        prefix = len(above) * DEEPER
        if self.form == "nested":
            shown += "*" * is_default
        else:
            prefix = ".".join(above)
            if prefix and self.root:
                prefix = f".{prefix}"
            aliases = [prefix + alias for alias in aliases]
            if is_default and above:
                aliases.insert(0, prefix)
        others = f" ({', '.join(aliases)})" if aliases else ""
        return f"{prefix}{shown}{others}", helpline(task)

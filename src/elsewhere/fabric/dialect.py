"""Which dialect of Fabric a task file is written in, told from its text alone; nothing of it is run.

::

    from fabric.api import run         1      from fabric import Connection, task     3
    from fabric.contrib.files import … 1      from invoke import task                 3
    def uptime(): …                    1      @task                                   3, where that name is Fabric 3's
    import fabric; fabric.api.run(…)   1      import fabric; fabric.Connection(…)     3

The first line that tells decides, so that a file which tries one and falls back on the other gets what it prefers.
Where nothing tells, the files beside it that it imports do; otherwise it is of dialect 1: plain functions.

Rule: no I/O; who asks reads the files.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

__all__ = ["OldPython", "dialect_of", "evidence"]

Read = Callable[[str], "str | None"]  # a module's dotted name, as imported, to its text

_ONE = {
    "api", "colors", "context_managers", "contrib", "decorators", "docs", "io", "job_queue", "network", "operations",
    "sftp", "state", "task_utils", "thread_handling", "utils", "version",
}  # fmt: skip
_THREE = {"auth", "config", "connection", "executor", "group", "runners", "transfer", "tunnels", "util"}
_ONE_NAMES = {"tasks": {"WrappedCallableTask", "execute", "requires_parallel"}, "exceptions": {"NetworkError"}}
_THREE_NAMES = {
    "": {
        "Config", "Connection", "Executor", "Group", "GroupResult", "Remote", "RemoteShell", "Result", "SerialGroup",
        "Task", "ThreadingGroup", "OpenSSHAuthStrategy", "task",
    },
    "tasks": {"ConnectionCall", "task"},
    "exceptions": {"GroupException", "InvalidV1Env", "NothingToDo"},
    "main": {"program", "make_program", "Fab"},
}  # fmt: skip
MOST_FILES = 50  # that are looked at


class OldPython(SyntaxError):
    """A file is written in Python 2; the text names the file, the line and the construct."""

    def __str__(self) -> str:
        return str(self.msg)


def dialect_of(source: str, filename: str, read: Read | None = None) -> int:
    """1 or 3.

    Args:
        source: of the task file.
        filename: for messages.
        read: gives the text of a module beside the file, or None where there is none.

    Raises:
        OldPython: the file, or one that it imports from beside it, is written in Python 2.
        SyntaxError: it is no Python at all.
    """
    return _told(source, filename, read or _nothing, set()) or 1


def _nothing(name: str) -> str | None:
    return None


def _told(source: str, filename: str, read: Read, seen: set[str]) -> int | None:
    tree = parse(source, filename)
    found = evidence(tree)
    if found is not None:
        return found
    for name in _imported(tree):
        if name in seen or len(seen) >= MOST_FILES:
            continue
        seen.add(name)
        text = read(name)
        if text is not None:
            found = _told(text, name, read, seen)
            if found is not None:
                return found
    return None


def _imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a file names, in its order."""
    for node in _in_order(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            if node.module:
                yield base
            yield from (f"{base}{'.' if node.module else ''}{alias.name}" for alias in node.names)


def _in_order(tree: ast.AST) -> list[ast.AST]:
    return sorted(
        (node for node in ast.walk(tree) if hasattr(node, "lineno")),
        key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)),
    )


def evidence(tree: ast.AST) -> int | None:
    """What the first line that tells says: 1, 3, or None where nothing tells."""
    for node in _in_order(tree):
        found = None
        if isinstance(node, ast.Import):
            found = next(filter(None, (_of_module(alias.name) for alias in node.names)), None)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found = _of_import(node.module, [alias.name for alias in node.names])
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "fabric":
            found = _of_import("fabric", [node.attr])
        if found is not None:
            return found
    return None


def _of_module(name: str) -> int | None:
    top, _, rest = name.partition(".")
    if top in {"invoke", "patchwork"}:
        return 3
    part = rest.partition(".")[0]
    if top != "fabric" or not part:
        return None
    return 1 if part in _ONE else 3 if part in _THREE else None


def _of_import(module: str, names: list[str]) -> int | None:
    found = _of_module(module)
    top, _, rest = module.partition(".")
    if found is not None or top != "fabric":
        return found
    for name in names:
        if name in _THREE_NAMES.get(rest, ()):
            return 3
        if name in _ONE_NAMES.get(rest, ()):
            return 1
        if not rest and (name in _ONE or name in _THREE):
            return 1 if name in _ONE else 3
    return None


# ---- Python 2 --------------------------------------------------------------------------------------------------------

_CONSTRUCTS = (
    (re.compile(r"^\s*print\b(?!\s*\()|^.*[:;]\s*print\s+[^(=]"), "print without parentheses"),
    (re.compile(r"\bexcept\s+[\w.()\s,]+,\s*\w+\s*:"), "except with a comma instead of `as`"),
    (re.compile(r"\braise\s+[\w.]+\s*,"), "raise with a comma"),
    (re.compile(r"^\s*exec\b(?!\s*\()|[:;]\s*exec\s+[^(=]"), "exec without parentheses"),
    (re.compile(r"`[^`]*`"), "backticks instead of repr()"),
    (re.compile(r"<>"), "<> instead of !="),
    (re.compile(r"\b(?:ur|UR|Ur|uR)['\"]"), 'a string with the prefix ur""'),
    (re.compile(r"\b0[0-7]+\b(?![.xXoObBeEjJ])"), "an octal number without 0o"),
    (re.compile(r"\b(?:0[xX][0-9a-fA-F]+|[0-9]+)[lL]\b"), "a long number with an L"),
    (re.compile(r"\b(?:def\s+\w+|lambda)\s*\(?[^:]*\(\s*\w+\s*,"), "a tuple as a parameter"),
)
_TABS = "inconsistent use of tabs"


def parse(source: str, filename: str) -> ast.Module:
    """The file's tree.

    Raises:
        OldPython: it is written in Python 2.
        SyntaxError: it is no Python at all.
    """
    try:
        tree = ast.parse(source, filename)
    except SyntaxError as error:
        construct = _construct(error, source)
        if construct is None:
            raise
        raise _old(filename, error.lineno, construct) from None
    # `print >>file, x` is a shift, which nobody means: it would fail when it runs.
    shifts = (node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift))
    for node in shifts:
        if isinstance(node.left, ast.Name) and node.left.id == "print":
            raise _old(filename, node.lineno, "print >> into a file")
    return tree


def _old(filename: str, line: int | None, construct: str) -> OldPython:
    text = (
        f"{filename}, line {line}: {construct} is Python 2, which this Python does not run; `2to3 -w FILE` translates "
        "most files"
    )
    return OldPython(text, (filename, line, None, None))


def _construct(error: SyntaxError, source: str) -> str | None:
    """What of Python 2 stands where the parser gave up."""
    lines = source.splitlines()
    number = (error.lineno or 1) - 1
    line = _without_texts(lines[number]) if number < len(lines) else ""
    if _TABS in (error.msg or ""):
        return "a mix of tabs and spaces"
    return next((name for pattern, name in _CONSTRUCTS if pattern.search(line)), None)


def _without_texts(line: str) -> str:
    """The line without what stands in quotes and comments; quotes stay, and so do prefixes."""
    emptied = re.sub(r"(['\"])(?:\\.|(?!\1).)*\1", r"\1\1", line)
    return emptied.partition("#")[0]

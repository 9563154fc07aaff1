"""How large and how tangled one Python module is: the function that `make demo` runs over the standard library.

`measure` reads one file and nothing else, and what it gives depends only on that file. The rule of its complexity is
McCabe's: 1 for each function, and 1 for each point in it where the way forks, which is

* ``if``, ``elif``, the conditional expression, and each ``if`` of a comprehension;
* ``for``, ``while``, and each ``for`` of a comprehension;
* each ``except``, and each ``case`` but a bare ``case _``;
* each ``and`` and ``or``, counted once for each operand after the first.

A nested function counts for itself and not for the one around it; a lambda belongs to the function it stands in. What
runs on import (the module's own body and those of its classes) counts as one function named ``<module>``. The
complexity of a module is the sum over its functions.

The volume is Halstead's: the number of tokens times the bits that one of them takes, log2(different tokens).
"""

from __future__ import annotations

import ast
import io
import math
import os
import sysconfig
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Module", "function_complexities", "halstead_volume", "measure", "module_name", "stdlib_files"]

FORKS = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler)  # one more way each
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
SILENT = LAYOUT | {tokenize.COMMENT}  # neither operator nor operand
LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}


@dataclass(frozen=True, slots=True)
class Module:
    """One module in numbers; see the rules above."""

    name: str
    lines: int
    functions: int
    classes: int
    complexity: int
    hardest: str  # the most complex function, the first one if several are
    hardest_complexity: int
    volume: int


def measure(path: Path) -> Module:
    """Measure the Python file at `path`.

    Raises:
        OSError: the file cannot be read.
        SyntaxError: it is no Python of this interpreter's version, or its encoding is not what it declares.
    """
    with tokenize.open(path) as file:  # opens as the interpreter would: BOM, coding line, else UTF-8
        source = file.read()
    tree = ast.parse(source, filename=str(path))
    kinds = Counter(map(type, ast.walk(tree)))
    complexities = function_complexities(tree)
    hardest = max(complexities, key=complexities.__getitem__)
    return Module(
        name=module_name(path),
        lines=len(source.splitlines()),
        functions=kinds[ast.FunctionDef] + kinds[ast.AsyncFunctionDef],
        classes=kinds[ast.ClassDef],
        complexity=sum(complexities.values()),
        hardest=hardest,
        hardest_complexity=complexities[hardest],
        volume=halstead_volume(source),
    )


def function_complexities(tree: ast.Module) -> dict[str, int]:
    """The complexity of each function by its qualified name; one defined twice counts as both together."""
    found = {"<module>": 1}
    # A list instead of recursion: a chain of 1,000 ``+`` or ``elif`` is a tree 1,000 deep.
    waiting: list[tuple[ast.AST, str, str]] = [(tree, "<module>", "")]  # a node, the function it counts for, its scope
    while waiting:
        node, owner, scope = waiting.pop()
        found[owner] += _forks(node)
        if isinstance(node, FUNCTIONS):
            owner = scope + node.name
            found[owner] = found.get(owner, 0) + 1
            scope = f"{owner}.<locals>."
        elif isinstance(node, ast.ClassDef):
            scope = f"{scope}{node.name}."
        waiting.extend((child, owner, scope) for child in ast.iter_child_nodes(node))
    return found


def _forks(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    if isinstance(node, ast.match_case):
        return 0 if isinstance(node.pattern, ast.MatchAs) and node.pattern.pattern is None and not node.guard else 1
    return 1 if isinstance(node, FORKS) else 0


def halstead_volume(source: str) -> int:
    """Halstead's volume, rounded: N · log2(n) for N tokens of which n differ."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    words = [token.string for token in tokens if token.type not in SILENT]
    return round(len(words) * math.log2(len(set(words)))) if words else 0


def module_name(path: Path) -> str:
    """``"email.message"`` for a file of the standard library, the path itself for any other."""
    try:
        inside = path.resolve().relative_to(_stdlib())
    except ValueError:
        return str(path)
    parts = inside.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def stdlib_files() -> Iterator[Path]:
    """Every module of the installed standard library, folder by folder, without its test folders."""
    root = _stdlib()
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - LEFT_OUT)  # cut here: site-packages can hold more than the rest together
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


def _stdlib() -> Path:
    return Path(sysconfig.get_path("stdlib")).resolve()

"""What could stand where something is typed half. Looked up in files; a module is read as text, and never imported."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

__all__ = ["OPEN", "addresses", "files", "functions", "hosts", "objects", "one_of"]

OPEN = (
    "open"  # the type of what is not whole yet, so that no space follows: a folder, a file's name before its function
)
DEEPEST = 8  # files that a configuration of ssh includes, one in the other
LARGEST = 4 << 20  # bytes of a module that is read

Found = list[CompletionItem]
Complete = Callable[[click.Context, click.Parameter, str], Found]


def one_of(*values: str) -> Complete:
    """These; those that end in a slash are not whole yet."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Found:
        return _items(values, incomplete)

    return complete


addresses = one_of("tcp://localhost:", "tls://", "unix:///", "http://localhost:", "https://")


def files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Found:
    """Files, which the shell knows best."""
    return [CompletionItem(incomplete, type="file")]


def _items(values: Iterable[str], incomplete: str) -> Found:
    return [
        CompletionItem(value, type=OPEN if value.endswith(("/", ":")) else "plain")
        for value in values
        if value.startswith(incomplete)
    ]


# ---- hosts -----------------------------------------------------------------------------------------------------------


def hosts(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Found:
    """Names of ~/.ssh/config; the last one of ``web1,deploy@we`` is completed."""
    before, comma, last = incomplete.rpartition(",")
    user, at, last = last.rpartition("@")
    begin = before + comma + user + at
    named = set(before.split(","))
    names = sorted({name for name in _configured("~/.ssh/config", DEEPEST) if name not in named})
    return [CompletionItem(begin + name) for name in names if name.startswith(last)]


def _configured(path: str, deeper: int) -> Iterator[str]:
    """The hosts that a configuration of ssh names, without patterns; ssh_config(5)."""
    folder = os.path.expanduser("~/.ssh")
    for file in sorted(glob.glob(os.path.join(folder, os.path.expanduser(path)))):
        try:
            with open(file, encoding="utf-8", errors="replace") as opened:
                lines = [line.replace("=", " ", 1).split() for line in opened]
        except OSError:
            continue
        for word, *values in filter(None, lines):
            if word.lower() == "host":
                yield from (value.strip('"') for value in values if not set(value) & set("*?!,"))
            elif word.lower() == "include" and deeper:
                for value in values:
                    yield from _configured(value.strip('"'), deeper - 1)


# ---- functions -------------------------------------------------------------------------------------------------------


def functions(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Found:
    """``package.module:name`` or ``path/to/file.py:name`` of a function or a class."""
    return _targets(incomplete, variables=False)


def objects(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Found:
    """... or of anything else that a module names."""
    return _targets(incomplete, variables=True)


def _targets(incomplete: str, *, variables: bool) -> Found:
    module, colon, name = incomplete.rpartition(":")
    if not colon:
        return _items(_modules(incomplete), incomplete)
    return _items((f"{module}:{found}" for found in _names(module, variables=variables)), f"{module}:{name}")


def _modules(incomplete: str) -> list[str]:
    """Python files and folders that begin so, as they are typed."""
    folder, name = os.path.split(incomplete)
    found = []
    try:
        entries = sorted(os.scandir(os.path.expanduser(folder) or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    for entry in entries:
        if not entry.name.startswith(name) or (entry.name.startswith((".", "_")) and not name):
            continue
        if entry.is_dir():
            found.append(os.path.join(folder, entry.name) + "/")
        elif entry.name.endswith(".py"):
            found.append(os.path.join(folder, entry.name) + ":")
    return found


def _names(module: str, *, variables: bool) -> list[str]:
    import ast

    path = _file_of(module)
    if path is None:
        return _of_pythons_own(module)
    try:
        if os.path.getsize(path) > LARGEST:
            return []
        with open(path, "rb") as file:
            body = ast.parse(file.read()).body
    except (OSError, SyntaxError, ValueError):
        return []
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found: dict[str, None] = {node.name: None for node in body if isinstance(node, kinds)}
    if variables:
        assigned = [node for node in body if isinstance(node, ast.Assign)]
        targets: list[Any] = [target for node in assigned for target in node.targets]
        found.update({target.id: None for target in targets if isinstance(target, ast.Name)})
    return [name for name in found if not name.startswith("_")]


def _of_pythons_own(module: str) -> list[str]:
    """A module in C, such as math, can be asked: nothing of the user's runs."""
    import importlib

    if module.partition(".")[0] not in sys.stdlib_module_names or module == "antigravity":
        return []
    try:
        found = importlib.import_module(module)
    except ImportError:
        return []
    return [name for name in dir(found) if not name.startswith("_") and callable(getattr(found, name))]


def _file_of(module: str) -> str | None:
    """Where a module's text is, without importing what is above it."""
    path = os.path.expanduser(module)
    if module.endswith(".py") or os.sep in module:
        return path
    if module.partition(".")[0] in sys.stdlib_module_names:
        return None
    parts = module.split(".")
    for folder in (os.getcwd(), *sys.path):
        base = os.path.join(folder, *parts)
        for file in (f"{base}.py", os.path.join(base, "__init__.py")):
            if os.path.isfile(file):
                return file
    return path

"""The tasks of a task file: its `Task` objects if it has any, else all its public functions."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

from elsewhere.fabric.v1.task_utils import Namespace
from elsewhere.fabric.v1.tasks.task import Task

__all__ = ["Found", "is_task", "load"]

_OURS = ("api", "contrib.project", "contrib.files", "contrib.console", "colors")


class Found(NamedTuple):
    """What a task file holds.

    Attributes:
        doc: its docstring.
        tasks: names to tasks, and to namespaces of those of modules that it imports.
        default: the task that runs where none is asked for.
    """

    doc: str | None
    tasks: dict[str, Any]
    default: Any


def load(path: Path) -> Found:
    """Import it, as a module of its file's name with its folder in front of ``sys.path`` meanwhile."""
    folder, name = str(path.parent), path.stem
    before = list(sys.path)
    sys.path[:] = [folder, *(each for each in before if each != folder)]
    try:
        sys.modules.pop(name, None)
        module = importlib.import_module(name)
    finally:
        # What the task file itself has added stays.
        added = [each for each in sys.path if each not in before and each != folder]
        sys.path[:] = [*added, *before]
    reader = _Reader()
    modern, classic, default = reader.tasks_of(module)
    return Found(module.__doc__, modern if reader.modern else classic, default)


class _Reader:
    """Reads modules.

    Attributes:
        modern: some module has `Task` objects.
    """

    def __init__(self) -> None:
        self.modern = False
        self._seen: set[str] = set()
        self._internal = _internals()

    def tasks_of(self, module: types.ModuleType) -> tuple[Namespace, dict[str, Any], Any]:
        """`Task` objects by name, public callables by name, the default."""
        public = vars(module).get("__all__")
        named = [(name, value) for name, value in list(vars(module).items()) if public is None or name in public]
        modern, classic, default = Namespace(), {}, None
        for name, value in named:
            if _is_task_object(value):
                self.modern = True
                default = self._add(modern, name, value) or default
            elif self._is_classic(name, value):
                classic[name] = value
            elif isinstance(value, types.ModuleType) and value.__name__ not in self._seen:
                self._seen.add(value.__name__)
                self._nested(modern, name, value)
        return modern, classic, default

    @staticmethod
    def _add(modern: Namespace, name: str, task: Any) -> Any:
        if not task.name or task.name == "undefined":
            task.name = name
        for each in (task.name, *(task.aliases or ())):
            modern[each] = task
        return task if task.is_default else None

    def _nested(self, modern: Namespace, name: str, module: types.ModuleType) -> None:
        found, _, default = self.tasks_of(module)
        if found:
            modern.setdefault(name, Namespace()).update(found)
        if default is not None:
            modern.setdefault(name, Namespace()).default = default

    def _is_classic(self, name: str, value: Any) -> bool:
        return (
            callable(value)
            and not name.startswith("_")
            and id(value) not in self._internal
            and not (isinstance(value, type) and issubclass(value, Exception))
        )


def _is_task_object(value: Any) -> bool:
    return isinstance(value, Task) and value.use_task_objects


def is_task(name: str, value: Any) -> bool:
    """A task, and no namespace of them?"""
    return _is_task_object(value) or _Reader()._is_classic(name, value)


def _internals() -> set[int]:
    """The callables that task files import from us and that are no tasks of theirs."""
    package = __name__.rpartition(".main.")[0]
    modules = [importlib.import_module(f"{package}.{name}") for name in _OURS]
    return {id(value) for module in modules for value in vars(module).values() if callable(value)}

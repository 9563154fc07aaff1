"""Tasks by name, and collections of them in collections."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from elsewhere.fabric.v3.invoke.data import copied, merged
from elsewhere.fabric.v3.invoke.parser import ParserContext
from elsewhere.fabric.v3.invoke.tasks import Task

__all__ = ["Collection", "helpline"]


def helpline(what: object) -> str | None:
    """The first line of its docstring, if that is its own."""
    doc = what.__doc__
    if not doc or not doc.strip() or doc == type(what).__doc__:
        return None
    return doc.lstrip().splitlines()[0]


class Collection:
    """See the module.

    Args:
        args: its name, then tasks, collections and modules.
        kwargs: more of these, by their names here. ``auto_dash_names``: underscores are dashes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.tasks: dict[str, Task] = {}
        self.aliases: dict[str, str] = {}
        self.collections: dict[str, Collection] = {}
        self.default: str | None = None
        self.loaded_from = kwargs.pop("loaded_from", None)
        dashes = kwargs.pop("auto_dash_names", None)
        self.auto_dash_names = True if dashes is None else dashes
        self._configuration: dict[str, Any] = {}
        self.name: str | None = None
        members = list(args)
        if members and isinstance(members[0], str):
            self.name = self.transform(members.pop(0))
        for each in members:
            self._add(each)
        for name, each in kwargs.items():
            self._add(each, name)

    def _add(self, what: Any, name: str | None = None) -> None:
        if isinstance(what, Task):
            self.add_task(what, name=name)
        elif isinstance(what, Collection | ModuleType):
            self.add_collection(what, name=name)
        else:
            raise TypeError(f"No idea how to insert {type(what)!r}!")

    def __repr__(self) -> str:
        names = [*sorted(self.tasks), *sorted(f"{name}..." for name in self.collections)]
        return f"<Collection {self.name!r}: {', '.join(names)}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Collection) and (self.name, self.tasks, self.collections) == (
            other.name, other.tasks, other.collections,
        )  # fmt: skip

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __bool__(self) -> bool:
        return bool(self.task_names)

    @classmethod
    def from_module(
        cls,
        module: ModuleType,
        name: str | None = None,
        config: Mapping[str, Any] | None = None,
        loaded_from: Any = None,
        auto_dash_names: bool | None = None,
    ) -> Collection:
        """That of a module: its ``ns`` or ``namespace``, else one of all its tasks."""
        given = next(
            (each for key in ("ns", "namespace") if isinstance(each := getattr(module, key, None), Collection)), None
        )
        own = name or (given.name if given is not None else None) or module.__name__.rpartition(".")[2]
        found = cls(own, loaded_from=loaded_from, auto_dash_names=auto_dash_names)
        found.__doc__ = module.__doc__
        if given is not None:
            found._take(given)
        else:
            for each in vars(module).values():
                if isinstance(each, Task):
                    found.add_task(each)
        if config:
            found.configure(config)
        return found

    def _take(self, other: Collection) -> None:
        self.tasks = {self.transform(name): each for name, each in other.tasks.items()}
        self.aliases = {self.transform(alias): self.transform(name) for alias, name in other.aliases.items()}
        self.collections = {self.transform(name): each for name, each in other.collections.items()}
        self.default = self.transform(other.default) if other.default else None
        self._configuration = copied(other._configuration)

    def add_task(self, task: Task, name: str | None = None, aliases: Any = None, default: bool | None = None) -> None:
        """One more task.

        Raises:
            ValueError: a collection here has that name, or another task is the default.
        """
        name = self.transform(name or task.name)
        if name in self.collections:
            raise ValueError(f"Name conflict: this collection has a sub-collection named {name!r} already")
        self.tasks[name] = task
        for alias in (*task.aliases, *(aliases or ())):
            self.aliases[self.transform(alias)] = name
        if default is True or (default is None and task.is_default):
            self._to_default(name)

    def add_collection(self, coll: Any, name: str | None = None, default: bool | None = None) -> None:
        """One more collection, or a module that is made one; raises as `add_task`."""
        if isinstance(coll, ModuleType):
            coll = Collection.from_module(coll)
        name = self.transform(name or coll.name or "")
        if not name:
            raise ValueError("Non-root collections must have a name!")
        if name in self.tasks:
            raise ValueError(f"Name conflict: this collection has a task named {name!r} already")
        self.collections[name] = coll
        if default:
            self._to_default(name)

    def _to_default(self, name: str) -> None:
        if self.default:
            raise ValueError(f"'{name}' cannot be the default because '{self.default}' already is!")
        self.default = name

    def subcollection_from_path(self, path: str) -> Collection:
        """The collection of that name with dots."""
        found = self
        for part in path.split("."):
            found = found.collections[part]
        return found

    def __getitem__(self, name: str | None = None) -> Task:
        return self.task_with_config(name)[0]

    def __contains__(self, name: str) -> bool:
        try:
            self[name]
        except KeyError:
            return False
        return True

    def task_with_config(self, name: str | None) -> tuple[Task, dict[str, Any]]:
        """The task of that name with dots, and the settings of all collections on the way to it.

        Raises:
            KeyError: there is none.
            ValueError: a collection is meant that has no default.
        """
        ours = copied(self._configuration)
        if not name:
            if not self.default:
                raise ValueError("This collection has no default task.")
            return self.task_with_config(self.default)
        name = self.transform(name)
        first, dot, rest = name.partition(".")
        if dot or first in self.collections:
            task, config = self.collections[first].task_with_config(rest)
            return task, {**config, **ours}
        return self.tasks[self.aliases.get(name, name)], ours

    def to_contexts(self, ignore_unknown_help: bool | None = None) -> list[ParserContext]:
        """What the command line needs to know of all tasks."""
        return [
            ParserContext(name, aliases, self[name].get_arguments(ignore_unknown_help=ignore_unknown_help))
            for name, aliases in self.task_names.items()
        ]

    @property
    def task_names(self) -> dict[str, list[str]]:
        """All names with dots, to their aliases."""
        found = {name: [alias for alias, target in self.aliases.items() if target == name] for name in self.tasks}
        for space, coll in self.collections.items():
            for name, aliases in coll.task_names.items():
                own = [f"{space}.{self.transform(alias)}" for alias in aliases]
                if coll.default == name:
                    own.append(space)
                found[f"{space}.{self.transform(name)}"] = own
        return found

    def transform(self, name: str) -> str:
        """The name as it is typed: underscores within it are dashes, or the other way round."""
        if not name:
            return name
        old, new = ("_", "-") if self.auto_dash_names else ("-", "_")
        last = len(name) - 1
        return "".join(
            new if letter == old and 0 < at < last and "." not in {name[at - 1], name[at + 1]} else letter
            for at, letter in enumerate(name)
        )

    def configuration(self, taskpath: str | None = None) -> dict[str, Any]:
        """Its settings, or those that hold for a task."""
        return copied(self._configuration) if taskpath is None else self.task_with_config(taskpath)[1]

    def configure(self, options: Mapping[str, Any]) -> None:
        """More settings."""
        merged(self._configuration, options)

    def serialized(self) -> dict[str, Any]:
        """For ``--list-format json``."""
        return {
            "name": self.name,
            "help": helpline(self),
            "default": self.default,
            "tasks": [
                {
                    "name": self.transform(each.name),
                    "help": helpline(each),
                    "aliases": [self.transform(alias) for alias in each.aliases],
                }
                for each in sorted(self.tasks.values(), key=lambda each: each.name)
            ],
            "collections": [
                each.serialized() for each in sorted(self.collections.values(), key=lambda each: each.name or "")
            ],
        }

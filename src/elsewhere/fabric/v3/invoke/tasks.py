"""Tasks: functions with what the command line needs to know of them."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import update_wrapper
from typing import Any

from elsewhere.fabric.v3.invoke.context import Context
from elsewhere.fabric.v3.invoke.parser import Argument, translate_underscores

__all__ = ["Call", "Task", "call", "task"]


class Task:
    """A task.

    Args:
        body: the function; its first parameter is a `Context`.
        name: instead of the function's.
        aliases: further names.
        positional: parameters that need no flag; those without a default, by default.
        optional: parameters whose flag may come without a value.
        default: it runs where its collection is named.
        auto_shortflags: flags have a letter too.
        help: texts for parameters.
        pre, post: tasks that run before and after it.
        autoprint: print what it gives.
        iterable: parameters whose flag may come more than once.
        incrementable: parameters whose flag counts.
    """

    def __init__(
        self,
        body: Callable[..., Any],
        name: str | None = None,
        aliases: Iterable[str] = (),
        positional: Iterable[str] | None = None,
        optional: Iterable[str] = (),
        default: bool = False,
        auto_shortflags: bool = True,
        help: Any = None,  # noqa: A002 - the original's name
        pre: Any = None,
        post: Any = None,
        autoprint: bool = False,
        iterable: Iterable[str] | None = None,
        incrementable: Iterable[str] | None = None,
    ) -> None:
        self.body = body
        update_wrapper(self, body)
        self.__doc__ = getattr(body, "__doc__", "")
        self.__name__ = getattr(body, "__name__", "")
        self._name = name
        self.aliases = aliases
        self.is_default = default
        self.positional = list(self._bare() if positional is None else positional)
        self.optional = tuple(optional)
        self.iterable = list(iterable or ())
        self.incrementable = list(incrementable or ())
        self.auto_shortflags = auto_shortflags
        self.help = dict(help or {})
        self.pre = pre or []
        self.post = post or []
        self.times_called = 0
        self.autoprint = autoprint

    @property
    def name(self) -> str:
        return self._name or self.__name__

    @property
    def called(self) -> bool:
        return self.times_called > 0

    def __repr__(self) -> str:
        aliases = f" ({', '.join(self.aliases)})" if self.aliases else ""
        return f"<Task {self.name!r}{aliases}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task) or self.name != other.name:
            return False
        return self.body == other.body or (
            getattr(self.body, "__code__", self) == getattr(other.body, "__code__", other)
        )

    def __hash__(self) -> int:
        return hash(self.name) + hash(self.body)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not args or not isinstance(args[0], Context):
            got = type(args[0]) if args else "nothing"
            raise TypeError(f"Task expected a Context as its first arg, got {got} instead!")
        found = self.body(*args, **kwargs)
        self.times_called += 1
        return found

    def _parameters(self) -> list[inspect.Parameter]:
        """Those behind the context."""
        body: Any = self.body
        function = body if isinstance(body, types.FunctionType) else body.__call__
        parameters = list(inspect.signature(function).parameters.values())
        if not parameters:
            raise TypeError("Tasks must have an initial Context argument!")
        return parameters[1:]

    def _bare(self) -> list[str]:
        return [each.name for each in self._parameters() if each.default is each.empty]

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Its options, the positional ones first.

        Raises:
            ValueError: there is a help text for a parameter that it does not have.
        """
        parameters = self._parameters()
        taken = {each.name for each in parameters}
        texts = dict(self.help)
        found = []
        for each in parameters:
            argument = self._argument(each, taken, texts)
            taken.update(argument.names)
            found.append(argument)
        if texts and not ignore_unknown_help:
            raise ValueError(f"Help field was set for param(s) that don't exist: {list(texts)}")
        first = [argument for name in self.positional for argument in found if argument.name == name]
        return [*first, *(argument for argument in found if argument not in first)]

    def _argument(self, parameter: inspect.Parameter, taken: set[str], texts: dict[str, Any]) -> Argument:
        name, default = parameter.name, parameter.default
        options: dict[str, Any] = {"positional": name in self.positional, "optional": name in self.optional}
        if name in self.iterable:
            options.update(kind=list, default=default if default is not None else [])
        if name in self.incrementable:
            options["incrementable"] = True
        if default is not None and default is not parameter.empty:
            if not (options["optional"] and isinstance(default, bool)):
                options["kind"] = type(default)
            options["default"] = default
        typed = translate_underscores(name) if "_" in name else name
        if typed != name:
            options["attr_name"] = name
        names = [typed]
        if self.auto_shortflags:
            names += [letter for letter in typed if letter != typed and letter not in taken][:1]
        for key in (typed, name):
            if key in texts:
                options["help"] = texts.pop(key)
                break
        return Argument(names=names, **options)


def task(*args: Any, **kwargs: Any) -> Any:
    """This function is a task.

    Args:
        args: the function; or tasks that run before it.
        kwargs: see `Task`; ``klass`` is used instead of that.
    """
    kind = kwargs.pop("klass", Task)
    if len(args) == 1 and callable(args[0]) and not isinstance(args[0], Task):
        return kind(args[0], **kwargs)
    if args:
        if "pre" in kwargs:
            raise TypeError("May not give *args and 'pre' kwarg simultaneously!")
        kwargs["pre"] = args
    return lambda body: kind(body, **kwargs)


class Call:
    """A task with what it is to be called with.

    Args:
        task: the task.
        called_as: the name that it was asked for by.
        args, kwargs: for it.
    """

    def __init__(self, task: Any, called_as: str | None = None, args: Any = None, kwargs: Any = None) -> None:
        self.task = task
        self.called_as = called_as
        self.args = args or ()
        self.kwargs = kwargs or {}

    def __getattr__(self, name: str) -> Any:
        if name == "task":
            raise AttributeError(name)
        return getattr(self.task, name)

    def __repr__(self) -> str:
        aka = f" (called as: {self.called_as!r})" if self.called_as not in {None, self.task.name} else ""
        return f"<{type(self).__name__} {self.task.name!r}{aka}, args: {self.args!r}, kwargs: {self.kwargs!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and (self.task, self.args, self.kwargs) == (other.task, other.args, other.kwargs)

    __hash__ = None  # type: ignore[assignment]  # its arguments may have none

    def make_context(self, config: Any) -> Context:
        """What the task is given first."""
        return Context(config=config)

    def clone_data(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "called_as": self.called_as,
            "args": deepcopy(self.args),
            "kwargs": deepcopy(self.kwargs),
        }

    def clone(self, into: type[Call] | None = None, with_: Any = None) -> Call:
        """Another one, of another class, with more arguments for that."""
        return (into or type(self))(**{**self.clone_data(), **(with_ or {})})


def call(task: Any, *args: Any, **kwargs: Any) -> Call:
    """A task with arguments, for ``pre`` and ``post``."""
    return Call(task, args=args, kwargs=kwargs)

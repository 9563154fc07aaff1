"""What a service can be asked for: each method under its name, and nothing else.

Rule: names are looked up in one dict. No attribute is ever followed for a peer, so nothing that was not registered can
be reached. A wrong registration is an error at once, where it is written.
"""

from __future__ import annotations

import functools
import inspect
import math
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from elsewhere.rpc.dialect import RESERVED
from elsewhere.rpc.serving.methods.schema import Schema

__all__ = ["WHERE", "Method", "MethodStatistics", "Registry", "is_pythons", "merged", "public_methods", "summed"]

QUICK = 0.001  # seconds: a call that takes longer is one to be watched for
UNKNOWN = 100  # calls of a new method that are watched closely ...
PROVEN = 1000  # ... and of one that has just taken long
WHERE = ("threads", "loop", "processes")


class MethodStatistics(NamedTuple):
    """What one method has done so far.

    Attributes:
        calls: those that have ended.
        errors: those of them that did not end with a value.
        running: those that have begun and not ended.
        mean: seconds, of those that have ended.
        longest: seconds.
    """

    calls: int
    errors: int
    running: int
    mean: float
    longest: float


def summed(told: Iterable[dict[str, Any]]) -> dict[str, list[Any]]:
    """The sum of what several processes tell: calls, errors, running, seconds and the longest of each method."""
    sums: dict[str, list[Any]] = {}
    for each in told:
        for name, (calls, errors, running, seconds, longest) in each.items():
            old = sums.get(name, [0, 0, 0, 0.0, 0.0])
            sums[name] = [
                old[0] + calls, old[1] + errors, old[2] + running, old[3] + seconds, max(old[4], longest),
            ]  # fmt: skip
    return sums


def merged(told: Iterable[dict[str, Any]]) -> dict[str, MethodStatistics]:
    """The same, as users see it."""
    return {
        name: MethodStatistics(calls, errors, running, seconds / calls if calls else 0.0, longest)
        for name, (calls, errors, running, seconds, longest) in summed(told).items()
    }


class Method:
    """One method.

    Attributes:
        name: as peers call it.
        fn: what is called.
        where: ``"threads"``, ``"loop"`` or ``"processes"``.
        pool: the Pool it was given as `where`, or None.
        timeout: seconds that a call may take; None for what the caller says.
        idempotent: a call may be repeated without harm.
        asynchronous: it is a coroutine function.
        schema: what it takes.
        on_thread, on_loop: the types of arguments with which it can be called there at once; None if there is more to
            look at.
        given: what was registered: `fn`, but for a coroutine function in a thread.
        wary: so many calls more are watched closely: until they were all quick, each may be a long one.
        begun, calls, errors, seconds, longest: what `statistics` tells of. Each is changed by a plain ``+=`` of a
            number, within which CPython does not change threads.
    """

    __slots__ = (
        "asynchronous", "begun", "calls", "doc", "errors", "fn", "given", "idempotent", "longest", "name", "on_loop",
        "on_thread", "pool", "schema", "seconds", "timeout", "wary", "where",
    )  # fmt: skip

    def __init__(self, fn: Callable[..., Any], name: str, where: Any, timeout: float | None, idempotent: bool) -> None:
        self.asynchronous = inspect.iscoroutinefunction(fn) or _async_call(fn)
        self.pool: Any = None
        self.given = fn
        self.schema = Schema(fn, name)
        self.doc = inspect.getdoc(fn) or ""
        self.where = self._place(fn, where)
        if self.asynchronous and self.where == "threads":
            fn = _awaiting(fn)
            self.asynchronous = False
        quick = self.schema.plain if timeout is None and not self.asynchronous else None
        self.on_thread = quick if self.where == "threads" else None
        self.on_loop = quick if self.where == "loop" else None
        self.name, self.fn, self.timeout, self.idempotent = name, fn, timeout, idempotent
        self.begun = self.calls = self.errors = 0
        self.seconds = self.longest = 0.0
        self.wary = UNKNOWN

    def _place(self, fn: Any, where: Any) -> str:
        if inspect.isasyncgenfunction(fn) or inspect.isgeneratorfunction(fn):
            raise TypeError(f"{fn!r} is a generator, and a call has one result: let it return a list")
        if where is None:
            return "loop" if self.asynchronous else "threads"
        if isinstance(where, str) and where in WHERE:
            return where
        if hasattr(where, "submit") and hasattr(where, "options"):
            self.pool = where
            return "processes"
        raise ValueError(f'where is "threads", "loop", "processes" or a Pool, not {where!r}')

    def ended(self, seconds: float, well: bool) -> None:
        """Count a call."""
        self.calls += 1
        self.seconds += seconds
        if not well:
            self.errors += 1
        self.longest = max(self.longest, seconds)

    def weigh(self, seconds: float) -> None:
        """A call has taken so long: how closely is the next one to be watched?"""
        if seconds >= QUICK:
            self.wary = PROVEN
        elif self.wary:
            self.wary -= 1

    def told(self) -> list[Any]:
        """Calls, errors, running, seconds, longest."""
        return [self.calls, self.errors, max(0, self.begun - self.calls), self.seconds, self.longest]

    @property
    def registration(self) -> dict[str, Any]:
        """What it was registered with."""
        return {
            "fn": self.given, "name": self.name, "where": self.pool or self.where, "timeout": self.timeout,
            "idempotent": self.idempotent,
        }  # fmt: skip

    def described(self) -> dict[str, Any]:
        """What `rpc.methods` tells of it."""
        return {
            "name": self.name,
            "signature": self.schema.signature,
            "doc": self.doc,
            "idempotent": self.idempotent,
        }


def _async_call(fn: Any) -> bool:
    return not inspect.isroutine(fn) and inspect.iscoroutinefunction(getattr(type(fn), "__call__", None))  # noqa: B004 - its type's, which is what a call runs


def _awaiting(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A coroutine function as one for a thread."""
    import asyncio

    @functools.wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        return asyncio.run(fn(*args, **kwargs))

    return run


class Registry:
    """The methods of a service, by name.

    Attributes:
        methods: them; servers look into this very dict.
    """

    def __init__(self) -> None:
        self.methods: dict[str, Method] = {}

    def add(
        self,
        fn: Any,
        name: str | None = None,
        *,
        where: Any = None,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> Method:
        """Register a function; raises as `Service.register` says."""
        if not callable(fn):
            raise TypeError(f"a method is a function, and {fn!r} cannot be called")
        if name is None:
            name = getattr(fn, "__name__", None)
            if name is None or name == "<lambda>":
                raise ValueError(f"{fn!r} has no name of its own: give it one by name=")
        if not isinstance(name, str):
            raise TypeError(f"the name of a method is a str, not {name!r}")
        if not name or name.startswith(RESERVED):
            raise ValueError(
                f"a method cannot be called {name!r}: names that begin with {RESERVED!r} are the dialect's"
            )
        if name in self.methods:
            raise ValueError(f"there is a method {name!r} already: name= gives this one another name")
        if timeout is not None and (
            isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < math.inf
        ):
            raise ValueError(f"timeout is a number of seconds above 0, or None, not {timeout!r}")
        if not isinstance(idempotent, bool):
            raise TypeError(f"idempotent is True or False, not {idempotent!r}")
        method = self.methods[name] = Method(fn, name, where, timeout, idempotent)
        return method


def public_methods(obj: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Name and function of each public method of an object, or of each public function of a module.

    Public is what has no leading underscore and is not inherited from `object`. Properties are not asked for: that
    would run them.
    """
    if isinstance(obj, types.ModuleType):
        yield from _functions_of(obj)
        return
    for name in dir(type(obj)):
        if name.startswith("_"):
            continue
        static = inspect.getattr_static(type(obj), name)
        called = callable(static) or isinstance(static, staticmethod | classmethod | functools.partialmethod)
        if called and hasattr(type(static), "__get__"):  # else it is something that can be called, and no method
            yield name, getattr(obj, name)


def is_pythons(kind: type, name: str) -> bool:
    """Is this method one of a type of Python's own, such as int, str or dict?"""
    return next((each.__module__ for each in kind.__mro__ if name in vars(each)), "") == "builtins"


def _functions_of(module: types.ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    listed = getattr(module, "__all__", None)
    for name, value in sorted(vars(module).items()):
        wanted = name in listed if listed is not None else getattr(value, "__module__", None) == module.__name__
        if wanted and not name.startswith("_") and inspect.isroutine(value):
            yield name, value

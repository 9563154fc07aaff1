"""The containers of `collections` and the like: made empty, or of plain containers, and then filled."""

from __future__ import annotations

import builtins
import collections
from typing import Any

from elsewhere.runtime.far.opening.machine import Refused

from .rules import VALUES, Found, Rule, bare, named, state_of

__all__ = ["FRAGILE"]

FRAGILE: frozenset[type] = frozenset({collections.deque, collections.defaultdict})
"""Those whose objects, each in the next, Python frees by recursion in C."""


def _set_each(made: Any, items: list[tuple[Any, Any]]) -> None:
    for key, value in items:
        made[key] = value


@named("collections", "OrderedDict")
def _ordered(cls: Any) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        if args:
            raise Refused("OrderedDict", "it is made with arguments, as no pickle of it is")
        return cls()

    return cls, Rule(call=call, update=_set_each)


@named("collections", "defaultdict")
def _default(cls: Any) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        factory = args[0] if args else None
        if len(args) > 1 or not (factory is None or any(factory is one for one in _factories())):
            raise Refused("defaultdict", "what it makes is no builtin container or number")
        return cls(factory)

    return cls, Rule(call=call, update=_set_each)


def _factories() -> list[Any]:
    names = ("Counter", "OrderedDict", "defaultdict", "deque")
    return [
        *(getattr(builtins, name) for name in [*VALUES, "bytearray", "complex"]),
        *(getattr(collections, name) for name in names),
    ]


@named("collections", "Counter")
def _counter(cls: Any) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        if len(args) != 1 or type(args[0]) is not dict:
            raise Refused("Counter", "it is not made of a dictionary")
        return cls(args[0])

    return cls, Rule(call=call)


@named("collections", "deque")
def _deque(cls: Any) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        items, longest = (*args, (), None)[:2] if args else ((), None)
        if len(args) > 2 or type(items) not in (tuple, list) or items or type(longest) not in (int, type(None)):
            raise Refused("deque", "it is made of more than a greatest length")
        return cls((), longest)

    return cls, Rule(call=call, extend=lambda made, items: made.extend(items))


@named("collections", "ChainMap", "UserDict", "UserList", "UserString")
def _wrappers(cls: Any) -> Found:
    key = "maps" if cls.__name__ == "ChainMap" else "data"
    kind: Any = {"UserDict": dict, "UserString": str}.get(cls.__name__, list)

    def build(made: Any, state: Any) -> None:
        state_of(cls.__name__, state, frozenset({key}))
        if type(state.get(key)) is not kind:
            raise Refused(cls.__name__, f"what it holds is no {kind.__name__}")
        setattr(made, key, state[key])

    empty = bare(cls)  # a UserString says its text twice
    return cls, Rule(new=lambda args, kwargs: empty(args if kind is not str else (), kwargs), build=build)


@named("types", "SimpleNamespace")
def _namespace(cls: Any) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        if args:
            raise Refused("SimpleNamespace", "it is made with arguments, as no pickle of it is")
        return cls()

    return cls, Rule(call=call, build=lambda made, state: vars(made).update(state_of("SimpleNamespace", state)))


@named("subprocess", "CompletedProcess")
def _completed(cls: Any) -> Found:
    keys = frozenset({"args", "returncode", "stdout", "stderr"})

    def build(made: Any, state: Any) -> None:
        vars(made).update(state_of("CompletedProcess", state, keys))

    return cls, Rule(new=bare(cls), build=build)

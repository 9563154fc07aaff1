"""What may be done with a thing that a pickle names; and a few checks that several rules use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from elsewhere.runtime.far.opening.machine import ATOMS, Refused

__all__ = ["NAMES", "VALUE", "VALUES", "Found", "Rule", "bare", "check_atoms", "named", "no_ranges", "state_of"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What pickles of a class's objects may do with it; None: never.

    Attributes:
        call: make an object as REDUCE does, of these arguments.
        new: make one as NEWOBJ does, of these arguments and keywords.
        build: give an object of the class its state.
        extend: add items to an object of the class.
        update: set items of an object of the class.
    """

    call: Callable[[tuple[Any, ...]], Any] | None = None
    new: Callable[[tuple[Any, ...], dict[str, Any]], Any] | None = None
    build: Callable[[Any, Any], None] | None = None
    extend: Callable[[Any, list[Any]], None] | None = None
    update: Callable[[Any, list[tuple[Any, Any]]], None] | None = None


VALUE = Rule()
"""It may be an argument or a result, and nothing else."""

VALUES = ("bool", "bytes", "dict", "float", "frozenset", "int", "list", "object", "set", "str", "tuple")
"""Builtin classes that may be values, and what a defaultdict makes."""

Found = tuple[Any, Rule | None]
"""What a name means, and what may be done with it; without a rule it is only a value."""

NAMES: dict[tuple[str, str], Callable[[], Any]] = {}
"""By module and name; called when it is first asked for, as it imports the module."""


def named(module: str, *names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Keep a function that is given what such a name means in its module, and says the rule."""

    def keep(rule: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            NAMES[module, name] = partial(_resolve, rule, module, name)
        return rule

    return keep


def _resolve(rule: Callable[..., Any], module: str, name: str) -> Any:
    return rule(vars(import_module(module))[name])


def check_atoms(name: str, args: tuple[Any, ...]) -> None:
    """Arguments that hold nothing else: numbers, text, bytes, None."""
    for arg in args:
        if type(arg) not in ATOMS:
            raise Refused(name, f"it is made of a {type(arg).__qualname__}, as no pickle of it is")


def no_ranges(name: str, args: tuple[Any, ...]) -> None:
    """No argument is short here and endless where it is looked through: ``range(10**12)`` takes a few bytes."""
    for arg in args:
        if type(arg) is range:
            raise Refused(name, "it is made of a range, which may be as long as it likes")


def state_of(name: str, state: Any, keys: frozenset[str] | None = None) -> dict[str, Any]:
    """A state that is a plain dictionary of attributes, of these names only."""
    if type(state) is not dict or not all(type(key) is str for key in state):
        raise Refused(name, "its state is no dictionary of attributes")
    if keys is not None and not keys.issuperset(state):
        raise Refused(name, f"its state has more than {', '.join(sorted(keys))}")
    return state


def bare(cls: Any) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
    """How NEWOBJ makes an object of that class: empty."""

    def new(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args or kwargs:
            raise Refused(cls.__qualname__, "it is made with arguments, as no pickle of it is")
        return object.__new__(cls)

    return new

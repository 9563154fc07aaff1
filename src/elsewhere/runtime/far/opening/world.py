"""What a pickle from a host may name, and what it may do with it: one world for each load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .known import errors, standard, yours
from .known.arrays import Arrays
from .known.rules import Rule
from .machine import Function, Malformed, Refused

__all__ = ["HostWorld", "PlainWorld"]

OURS = "elsewhere"  # of which errors come back; its other classes start things
FAR = "elsewhere_far"  # the worker's file, as its pickles name it


class PlainWorld:
    """Nothing but plain values: no name means anything."""

    def find(self, module: str, name: str) -> Any:
        raise Refused(f"{module}.{name}", "only plain values come here")

    def call(self, function: Any, args: tuple[Any, ...]) -> Any:
        raise Malformed("it calls what is no function")

    def new(self, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        raise Malformed("it makes an object of what is no class")

    def build(self, made: Any, state: Any) -> None:
        raise Malformed("it gives a state to what has none")

    def extend(self, made: Any, items: list[Any]) -> None:
        raise Malformed("it appends to what is no list")

    def update(self, made: Any, items: list[tuple[Any, Any]]) -> None:
        raise Malformed("it sets items of what is no dictionary")


class HostWorld:
    """Plain values, what `standard`, `errors` and `arrays` list, and the caller's own classes.

    Args:
        shipped: the class with a token, or None.
        own: is this a module of the caller that a host may know of?
    """

    def __init__(self, shipped: Callable[[str], type | None], own: Callable[[str], bool]) -> None:
        self._shipped = shipped
        self._own = own
        self._rules: dict[int, tuple[Any, Rule]] = {}  # of what was found, by id
        self._yours: set[int] = set()
        self._arrays = Arrays(lambda cls: id(cls) in self._yours)

    # ---- names ---------------------------------------------------------------------------------------------------

    def find(self, module: str, name: str) -> Any:
        known: tuple[Any, Rule | None] | None
        if module.startswith("numpy"):
            known = self._arrays.find(module, name)
        else:
            known = standard.find(module, name) or errors.find(module, name)
        if known is None and (module, name) == (FAR, "shipped"):
            known = Function(f"{FAR}.shipped", self._by_token), None
        if known is None:
            if module.partition(".")[0] == OURS or not self._own(module):
                whole = name if module == "builtins" else f"{module}.{name}"
                raise Refused(whole, "it is neither plain nor yours")
            return self._keep(yours.class_of(module, name))
        found, rule = known
        if rule is not None:
            self._rules[id(found)] = found, rule
        return found

    def _by_token(self, args: tuple[Any, ...]) -> Any:
        (token,) = args
        cls = self._shipped(token) if type(token) is str else None
        if cls is None:
            raise Refused("class", "the host says that it was sent there, and it was not")
        return self._keep(cls)

    def _keep(self, cls: type) -> type:
        self._rules[id(cls)] = cls, yours.rule_for(cls, self._arrays.build_array)
        self._yours.add(id(cls))
        return cls

    # ---- what is done with them ----------------------------------------------------------------------------------

    def call(self, function: Any, args: tuple[Any, ...]) -> Any:
        make = function.call if type(function) is Function else self._rule(function).call
        if make is None:
            raise Refused(_name(function), "it is called, as no pickle of it does")
        try:
            return make(args)
        except (Refused, Malformed):
            raise
        except BaseException as error:  # the caller's own constructors run here, and may raise anything
            raise _raised(function, error) from error

    def new(self, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        make = self._rule(cls).new
        if make is None:
            raise Refused(_name(cls), "it is made in a way in which no pickle of it does")
        try:
            return make(args, kwargs)
        except (Refused, Malformed):
            raise
        except BaseException as error:  # as above
            raise _raised(cls, error) from error

    def build(self, made: Any, state: Any) -> None:
        give = self._rule_of(made).build
        if give is None:
            raise Refused(_name(type(made)), "it is given a state, as no pickle of it does")
        self._change(give, made, state)

    def extend(self, made: Any, items: list[Any]) -> None:
        add = self._rule_of(made).extend
        if add is None:
            raise Refused(_name(type(made)), "items are added to it, as no pickle of it does")
        self._change(add, made, items)

    def update(self, made: Any, items: list[tuple[Any, Any]]) -> None:
        update = self._rule_of(made).update
        if update is None:
            raise Refused(_name(type(made)), "items of it are set, as no pickle of it does")
        self._change(update, made, items)

    def _change(self, change: Callable[[Any, Any], None], made: Any, given: Any) -> None:
        try:
            change(made, given)
        except (Refused, Malformed):
            raise
        except BaseException as error:  # as above
            raise _raised(type(made), error) from error

    def _rule(self, found: Any) -> Rule:
        """Of what `find` gave, and of nothing else, whatever the caller's own code may have returned."""
        known = self._rules.get(id(found))
        if known is None:
            raise Refused(_name(found), "it was not named, and is called")
        return known[1]

    def _rule_of(self, made: Any) -> Rule:
        known = self._rules.get(id(type(made)))
        if known is not None:
            return known[1]
        if isinstance(made, BaseException) and type(made).__module__ == "builtins":
            return errors.rule_for(type(made))  # OSError(2, ...) is a FileNotFoundError
        rule = self._arrays.rule_of(made)
        if rule is not None:
            return rule
        raise Refused(_name(type(made)), "it is changed, as no pickle of it does")


def _raised(what: Any, error: BaseException) -> Refused:
    return Refused(_name(what), f"making it raises {type(error).__name__}: {_words(error):.200}")


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as failure:  # noqa: BLE001 - the user's own code runs here
        return f"<no text: {type(failure).__name__}>"


def _name(found: Any) -> str:
    """What it is called, for a sentence; nothing of it is run."""
    if type(found) is Function:
        return found.name
    cls = found if isinstance(found, type) else type(found)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"

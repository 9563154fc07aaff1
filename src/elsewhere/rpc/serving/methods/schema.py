"""A method's signature as what its arguments are checked against, before it runs.

Rule: an argument that is wrong, missing or too many is an `ArgumentError` that names the parameter and what it expects.
Everything is worked out when the method is registered; a call whose arguments are plain values of just the annotated
types costs one comparison of two lists.
"""

from __future__ import annotations

import functools
import inspect
import logging
import typing
from collections.abc import Callable
from typing import Any

from elsewhere.errors import ArgumentError
from elsewhere.rpc.serving.methods.converters import EXACT, converter, expected
from elsewhere.rpc.serving.methods.mismatch import Converter, Mismatch

__all__ = ["Schema"]

_log = logging.getLogger("elsewhere.rpc")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Schema:
    """What a method takes.

    Args:
        fn: the function; a bound method has no self any more.
        name: as it is registered, for errors.

    Attributes:
        signature: in words, such as ``"(n: int, *, unit: str = 'm') -> int"``.
        parameters: what it takes, each with its annotation as an object, not as text; Any where there is none.
        plain: the types of positional arguments that can be passed on as they are; None if there is more to it.

    Raises:
        TypeError: a parameter is annotated with what no peer can send.
    """

    def __init__(self, fn: Callable[..., Any], name: str) -> None:
        self.name = name
        try:
            found = inspect.signature(fn)
        except (TypeError, ValueError):  # some builtins have none
            found = inspect.Signature(
                [
                    inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
                    inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
                ]
            )
        hints = _hints(fn, name)
        self.signature = _in_words(found, hints)
        hints.pop("return", None)
        self.parameters: list[inspect.Parameter] = []
        self._converters: dict[str, Converter | None] = {}
        for parameter in found.parameters.values():
            hint = hints.get(parameter.name, Any)
            self.parameters.append(parameter.replace(annotation=hint))
            try:
                self._converters[parameter.name] = converter(hint)
            except TypeError as error:
                raise TypeError(f"the parameter {parameter.name!r} of {name!r}: {error}") from None
        parameters = found.parameters.values()
        self._positional = [each.name for each in parameters if each.kind in _POSITIONAL]
        self._named = {each.name for each in parameters if each.kind in _NAMED}
        self._required = [
            each.name for each in parameters if each.default is each.empty and each.kind < 4 and each.kind != 2
        ]
        self._rest = next((each.name for each in parameters if each.kind is each.VAR_POSITIONAL), None)
        self._others = next((each.name for each in parameters if each.kind is each.VAR_KEYWORD), None)
        self._hints = {key: expected(hint) for key, hint in hints.items()}
        exact = [hints.get(key, Any) for key in self._positional]
        only_positional = not self._rest and self._required == self._positional and all(kind in EXACT for kind in exact)
        self.plain: list[type] | None = exact if only_positional else None

    def bind(self, args: list[Any], kwargs: dict[str, Any] | None = None) -> tuple[list[Any], dict[str, Any]]:
        """The arguments to call it with.

        Raises:
            ArgumentError: they are not what it takes.
        """
        if self.plain is not None and not kwargs and [*map(type, args)] == self.plain:
            return args, {}
        many = len(self._positional)
        if len(args) > many and self._rest is None:
            takes = f"{many} positional argument{'' if many == 1 else 's'}" if many else "no positional arguments"
            raise ArgumentError(f"{self.name}{self.signature} takes {takes}, and was given {len(args)}")
        bound = [self._convert(key, value) for key, value in zip(self._positional, args, strict=False)]
        if self._rest is not None:
            rest = self._rest
            bound += [self._convert(rest, value, f"[{index}]") for index, value in enumerate(args[many:])]
        named = self._keywords(kwargs, self._positional[: len(args)]) if kwargs else {}
        given = {*self._positional[: len(args)], *named}
        missing = [key for key in self._required if key not in given]
        if missing:
            told = ", ".join(f"{key!r} ({self._hints[key]})" if key in self._hints else repr(key) for key in missing)
            raise ArgumentError(f"{self.name}{self.signature} misses {told}")
        return bound, named

    def _keywords(self, kwargs: dict[str, Any], taken: list[str]) -> dict[str, Any]:
        named: dict[str, Any] = {}
        for key, value in kwargs.items():
            if not isinstance(key, str):
                raise ArgumentError(f"{self.name}: the name of a keyword argument is a str")
            if key in self._named:
                if key in taken:
                    raise ArgumentError(f"{self.name}{self.signature} was given {key!r} twice")
                named[key] = self._convert(key, value)
            elif self._others is not None:
                named[key] = self._convert(self._others, value, f"[{key!r:.60}]")
            else:
                raise ArgumentError(f"{self.name}{self.signature} takes no argument {key!r:.60}")
        return named

    def _convert(self, key: str, value: Any, path: str = "") -> Any:
        convert = self._converters[key]
        if convert is None:
            return value
        try:
            return convert(value)
        except Mismatch as mismatch:
            where = f"{key}{path}{mismatch.path}"
            raise ArgumentError(f"{self.name}: {where}: expected {mismatch.expected}, got {mismatch.got}") from None


class _Words:
    """An annotation as it is shown, without the quotes that a str would have."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _in_words(signature: inspect.Signature, hints: dict[str, Any]) -> str:
    def shown(name: str, annotation: Any) -> Any:
        if name in hints:
            return _Words(expected(hints[name]))
        return _Words(annotation.strip("'\"")) if isinstance(annotation, str) else annotation

    parameters = [each.replace(annotation=shown(each.name, each.annotation)) for each in signature.parameters.values()]
    told = signature.replace(parameters=parameters, return_annotation=shown("return", signature.return_annotation))
    return str(told)


class _One:
    """One annotation of a function, for `typing.get_type_hints`, which takes all of them or none."""

    def __init__(self, fn: Any, name: str) -> None:
        self.__annotations__ = {name: fn.__annotations__[name]}
        self.__type_params__ = getattr(fn, "__type_params__", ())


def _hints(fn: Any, name: str) -> dict[str, Any]:
    """The annotations of its parameters, and of what it returns; those that can be known.

    Raises:
        TypeError: one is nothing that Python can read.
    """
    while isinstance(fn, functools.partial):
        fn = fn.func
    # Of an object that can be called, its annotations are those of its attributes.
    target = fn if inspect.isroutine(fn) or hasattr(fn, "__wrapped__") else type(fn).__call__
    if not getattr(target, "__annotations__", None):  # also a builtin
        return {}
    try:
        return typing.get_type_hints(target, include_extras=True)
    except NameError:  # what is imported for type checkers only, or local to a function
        pass
    except Exception as error:
        raise TypeError(f"an annotation of {name!r} cannot be read: {error}") from error
    found: dict[str, Any] = {}
    known = getattr(inspect.unwrap(target), "__globals__", {})
    for key in target.__annotations__:
        try:
            found |= typing.get_type_hints(_One(target, key), known, include_extras=True)
        except NameError as error:
            if key != "return":
                _log.warning("%r is served without a check of its argument %r: %s", name, key, error)
    return found

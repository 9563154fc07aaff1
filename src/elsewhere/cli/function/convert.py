"""What an input, which is text, becomes before a function gets it: decided once for a whole run, never call by call.

==========  =====================================================================================
``int`` ``float`` ``bool`` ``path``   what the first parameter is annotated with
``number``  an int where it reads as one, else a float where it reads as one, else text
``text``    as it is; also every input of ``--json-input``, which has its type already
``ask``     nobody knows yet: the first call gets text, and if that is a TypeError and the text
            reads as a number, the run uses ``number``
==========  =====================================================================================
"""

from __future__ import annotations

import inspect
import pathlib
import sys
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Optional, Union

from elsewhere.cli.ending import WrongUsage

__all__ = ["ASK", "CONVERTERS", "NUMBER", "TEXT", "conversion", "reads_as_number"]

ASK, NUMBER, TEXT = "ask", "number", "text"

TRUE = frozenset({"true", "yes", "on", "1", "t", "y"})
FALSE = frozenset({"false", "no", "off", "0", "f", "n"})


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError(f"not true or false: {text!r}")


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


CONVERTERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": _boolean,
    "path": Path,
    NUMBER: _number,
}
# Annotations that say how text is meant. A class made from text by a constructor of its own is not guessed at.
MEANINGS: dict[Any, str] = {
    int: "int",
    float: "float",
    bool: "bool",
    Path: "path",
    pathlib.PurePath: "path",
    str: TEXT,
    complex: NUMBER,
}
# Names that an annotation in quotes may use though its module imports them for type checkers only.
NAMES = {
    "Path": Path,
    "pathlib": pathlib,
    "Optional": Optional,
    "Union": Union,
    "typing": typing,
    "Annotated": Annotated,
}


def reads_as_number(text: object) -> bool:
    """Would `number` make something else of it?"""
    return isinstance(text, str) and not isinstance(_number(text), str)


def conversion(function: Callable[..., Any], label: str) -> str:
    """What the inputs of `function` become, by its first parameter's annotation.

    Raises:
        WrongUsage: it cannot be called with one argument.
    """
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return ASK  # many builtins have none
    parameters = list(signature.parameters.values())
    first = next((p for p in parameters if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)), None)
    if first is None:
        raise WrongUsage(f"{label} takes no argument, but each call gives it one: the input.")
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if unfilled := [name for name in needed if name != first.name]:
        raise WrongUsage(
            f"{label} also needs {', '.join(unfilled)}, but each call gives it one argument, the input: "
            "give them defaults or write a function of one parameter."
        )
    return _meaning(_resolved(first.annotation, function))


def _meaning(annotation: Any) -> str:
    while (origin := typing.get_origin(annotation)) is Annotated or hasattr(annotation, "__supertype__"):
        annotation = typing.get_args(annotation)[0] if origin is Annotated else annotation.__supertype__
    if origin is not Union and origin is not types.UnionType:
        return MEANINGS.get(annotation, ASK) if isinstance(annotation, type) else ASK
    meanings = {_meaning(choice) for choice in typing.get_args(annotation) if choice is not type(None)}
    if TEXT in meanings:
        return TEXT  # str | int: text is welcome as it is
    if meanings <= {"int", "float", NUMBER}:
        return meanings.pop() if len(meanings) == 1 else NUMBER
    return meanings.pop() if len(meanings) == 1 else ASK


def _resolved(annotation: Any, function: Callable[..., Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    inner: Any = inspect.unwrap(function)
    while hasattr(inner, "func"):  # functools.partial
        inner = inner.func
    names = getattr(inner, "__globals__", None)
    if names is None:  # a class, a bound method of one
        names = vars(sys.modules.get(getattr(inner, "__module__", ""), types.ModuleType("")))
    try:
        return eval(annotation, {**NAMES, **names})  # as typing.get_type_hints does, for one parameter
    except Exception:  # noqa: BLE001 - an annotation may hold anything; one that says nothing is as good as none
        return None

"""`system.methodSignature`: annotations as types of XML-RPC."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import decimal
import inspect
import pathlib
import types
import typing
import uuid
from typing import Any

from elsewhere.rpc.serving.methods.registry import Method

__all__ = ["signatures"]

UNDEFINED = "undef"  # what servers answer who have no signature, or no type
_TYPES: dict[Any, str] = {
    int: "int",
    float: "double",
    bool: "boolean",
    str: "string",
    bytes: "base64",
    bytearray: "base64",
    dt.datetime: "dateTime.iso8601",
    dt.date: "string",
    dt.time: "string",
    dt.timedelta: "double",
    decimal.Decimal: "string",
    pathlib.Path: "string",
    uuid.UUID: "string",
    type(None): "nil",
}
_ARRAYS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def signatures(method: Method) -> Any:
    """The type of the result and those of the arguments, once for each number of arguments that it takes.

    A method that takes any number of them, or names that XML-RPC has no way to give, has no signature.
    """
    try:
        found = inspect.signature(method.given, eval_str=True)
    except (TypeError, ValueError, NameError):
        return UNDEFINED
    parameters = found.parameters.values()
    takes = [each for each in parameters if each.kind in _POSITIONAL]
    others = [each for each in parameters if each.kind not in _POSITIONAL]
    if any(each.kind is each.VAR_POSITIONAL or (each.kind is each.KEYWORD_ONLY and each.default is each.empty)
           for each in others):  # fmt: skip
        return UNDEFINED
    kinds = [_type(each.annotation) for each in takes]
    least = sum(each.default is each.empty for each in takes)
    result = _type(found.return_annotation)
    return [[result, *kinds[:count]] for count in range(least, len(kinds) + 1)]


def _type(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _type(typing.get_args(annotation)[0])
    if origin is typing.Union or origin is types.UnionType:
        kinds = {_type(each) for each in typing.get_args(annotation)} - {"nil"}
        return kinds.pop() if len(kinds) == 1 else UNDEFINED
    kind = origin or annotation
    if kind is None:
        return "nil"
    if not isinstance(kind, type) or kind is Any:
        return UNDEFINED
    if kind in _TYPES:
        return _TYPES[kind]
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields") or issubclass(kind, collections.abc.Mapping):
        return "struct"
    return "array" if issubclass(kind, _ARRAYS) else UNDEFINED

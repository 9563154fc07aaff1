"""The by-value pickler for workers of another minor version of Python: source instead of byte code.

Rule: a function is its own source's code with the values that it has here: defaults, captured variables, attributes. So
decorators need not run again. A class is its class statement, which does run: what it reads is there before.
"""

from __future__ import annotations

import abc
import dis
import types
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from cloudpickle import cloudpickle

from elsewhere.runtime.far.packing.byvalue import FarBook, FarPickler, far
from elsewhere.runtime.far.packing.loading import reach
from elsewhere.runtime.far.packing.sources import NoSource, class_text, code_text
from elsewhere.runtime.packing.byvalue import Reduced
from elsewhere.runtime.packing.kinds.bodies import names_read
from elsewhere.runtime.packing.restore import MAIN_NAMES

__all__ = ["SourceBook"]

ATOMS = (int, float, bool, str, bytes, types.NoneType)


class SourceBook(FarBook):
    """The definitions of one job, by source.

    Attributes:
        refused: the names that payloads have referred to in vain, with the reason.
    """

    def __init__(self, owner: object, classes: dict[str, type]) -> None:
        super().__init__(owner, classes)
        self.refused: dict[tuple[str, ...], str] = {}

    def pickler(self, share: bool, take: Callable[[Any], object] | None = None) -> FarPickler:
        """See `Book.pickler`."""
        return SourcePickler(self, share, take)

    def code(self, obj: CodeType) -> Reduced:
        """How code is written."""
        return far("code_of"), tuple(code_text(obj))


class SourcePickler(FarPickler):
    """One payload or definition of a `SourceBook`."""

    def class_by_value(self, cls: type, key: str | None) -> Reduced:
        """The class by its statement.

        Raises:
            NoSource: it has none.
        """
        token = cloudpickle._get_or_create_tracker_id(cls)
        self.book.classes[token] = cls
        if _is_namedtuple(cls):
            fields, defaults = tuple(cls._fields), tuple(cls._field_defaults.values())  # type: ignore[attr-defined]  # see above
            return far("make_namedtuple"), (key, token, cls.__name__, fields, defaults, cls.__module__)
        top, _, path = cls.__qualname__.partition(".")
        if cls.__module__ not in MAIN_NAMES:
            raise NoSource(f"the class {cls.__qualname__} belongs to a module that cannot be imported")
        if path and "<locals>" not in path:
            outer = self.main.get(top)
            if not isinstance(outer, type) or _reached(outer, path) is not cls:
                raise NoSource(f"the class {cls.__qualname__} is not what its name says")
            return far("reach"), (outer, path)
        text = class_text(cls)
        held = {}
        for name in self._reads_of_class(text.compiled()):
            if self.main[name] is cls:
                raise NoSource(f"the class {name} is made from an earlier {name}, whose name it has taken")
            held[name] = _Reference(*self.by_name(name, self.main[name]))
        made = key, token, self._inner_classes(cls), tuple(text), held
        attributes = _atoms(cls)
        state = attributes, {name: repr(value).encode() for name, value in attributes.items()}
        return far("run_class"), made, state, None, None, far("set_class")

    def _reads_of_class(self, module: CodeType) -> list[str]:
        """What the statement reads when it runs; what its methods read later is noted as needed, too."""
        now = {step.argval for step in dis.get_instructions(module) if step.opname in ("LOAD_NAME", "LOAD_GLOBAL")}
        now |= names_read(module)
        inner = [const for const in module.co_consts if isinstance(const, CodeType)]
        later = {name for code in inner for name in cloudpickle._extract_code_globals(code)}
        for name in sorted(later - now):
            if name in self.main:
                self.book.objects.setdefault(name, self.main[name])
                self.refs[name] = None
        return sorted(name for name in now if name in self.main and not name.startswith("__"))

    def _inner_classes(self, cls: type) -> tuple[tuple[str, str], ...]:
        found: list[tuple[str, str]] = []
        todo = [(name, value) for name, value in vars(cls).items() if isinstance(value, type)]
        while todo:
            path, value = todo.pop()
            if value.__module__ == cls.__module__ and value.__qualname__ == f"{cls.__qualname__}.{path}":
                token = cloudpickle._get_or_create_tracker_id(value)
                self.book.classes[token] = value
                found.append((path, token))
                todo += [(f"{path}.{name}", inner) for name, inner in vars(value).items() if isinstance(inner, type)]
        return tuple(sorted(found))

    def _dynamic_function_reduce(self, func: FunctionType) -> Reduced:
        raise NoSource(f"{func.__qualname__}() belongs to a module that cannot be imported")

    def _function_state(self, obj: FunctionType, read: dict[str, Any]) -> tuple[Any, ...]:
        attributes, slots, contents, submodules = super()._function_state(obj, read)
        slots.pop("__type_params__", None)
        slots["__annotations__"] = {name: _plain(value) for name, value in slots["__annotations__"].items()}
        return attributes, slots, contents, submodules


class _Reference:
    """Written as the call that finds a global."""

    def __init__(self, *call: Any) -> None:
        self._call = call

    def __reduce__(self) -> Reduced:
        return self._call


def _plain(annotation: Any) -> Any:
    """What any Python knows: names of types differ between versions."""
    if type(annotation) is type and annotation.__module__ == "builtins":
        return annotation
    return annotation if isinstance(annotation, str | types.NoneType) else repr(annotation)


def _is_namedtuple(cls: Any) -> bool:
    """Did `collections.namedtuple` make it, and not a class statement?"""
    return cls.__bases__ == (tuple,) and hasattr(cls, "_field_defaults") and not hasattr(cls, "__orig_bases__")


def _atoms(cls: type) -> dict[str, Any]:
    """The attributes that are plain values, which may have been set since the class was made."""
    if type(cls) not in (type, abc.ABCMeta):
        return {}
    return {name: value for name, value in vars(cls).items() if type(value) in ATOMS and not name.startswith("__")}


def _reached(outer: Any, path: str) -> Any:
    try:
        return reach(outer, path)
    except AttributeError:
        return None

"""Arrays, dtypes and scalars of numpy.

A dtype is where a pickle could forge pointers: numpy takes its fields, sizes and flags as they are told, and would read
"objects" out of plain bytes. So each is made anew by numpy's public constructor, and gets the state which numpy itself
gives for that. None changes once something uses it, and bytes never become objects.
"""

from __future__ import annotations

import math
import re
import sys
from functools import lru_cache
from importlib import import_module
from typing import Any

from elsewhere.runtime.far.opening.machine import Function, Refused

from .rules import VALUE, Rule

__all__ = ["Arrays", "fragile"]

KIND = re.compile(r"[biufcmMOSUV]\d{1,9}")
EMPTY = 1 << 20  # elements of an array whose elements take no bytes
UNITS = frozenset({b"generic", *b"Y M W D h m s ms us ns ps fs as".split(), b"\xce\xbcs"})

FUNCTIONS = {"_frombuffer": "from_buffer", "_reconstruct": "reconstruct", "scalar": "scalar"}
MODULES = frozenset({"numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric"})
MODULES |= {"numpy._core.numeric", "numpy.dtypes"}


def _numpy() -> Any:
    """numpy, of whose exact types nothing here depends."""
    return sys.modules.get("numpy") or import_module("numpy")


def _states(dtype: Any) -> tuple[int, Any]:
    """The size of its items, and its state as numpy itself gives it."""
    return dtype.itemsize, dtype.__reduce__()[2]


@lru_cache(100)
def _simple_states(text: str, order: str) -> tuple[int, Any]:
    dtype = _numpy().dtype(text)
    return _states(dtype.newbyteorder(order) if order in "<>" else dtype)


def fragile() -> frozenset[type]:
    """Arrays free what they hold by recursion in C; nothing if numpy is not there, or not yet."""
    numpy = sys.modules.get("numpy")
    return frozenset({numpy.ndarray}) if numpy is not None and hasattr(numpy, "ndarray") else frozenset()


class Arrays:
    """What one load may name of numpy. `own` says which other classes of arrays there are."""

    def __init__(self, own: Any) -> None:
        self._own = own
        self._fresh: dict[int, Any] = {}  # dtypes and arrays that still wait for their states

    def find(self, module: str, name: str) -> tuple[Any, Rule | None] | None:
        if module not in MODULES:
            return None
        try:
            np = _numpy()
        except ImportError:
            raise Refused(f"{module}.{name}", "numpy is not installed here") from None
        method = FUNCTIONS.get(name)
        if method is not None and module != "numpy":
            return Function(f"{module}.{name}", getattr(self, method)), None
        found = vars(np).get(name)
        if module != "numpy" or not isinstance(found, type):
            return None
        if found is np.dtype:
            return found, Rule(call=self.dtype, build=self.build_dtype)
        if found is np.ndarray:
            return found, Rule(build=self.build_array)
        return (found, VALUE) if issubclass(found, np.generic) else None

    # ---- dtypes --------------------------------------------------------------------------------------------------

    def dtype(self, args: tuple[Any, ...]) -> Any:
        """As pickles make it: of its kind and size, in a copy that `build_dtype` then makes what it was."""
        np = _numpy()
        if not args or type(args[0]) is not str or not KIND.fullmatch(args[0]):
            raise Refused("numpy.dtype", "it is not made of a kind and a size")
        made: Any = np.dtype(args[0], False, True)
        self._fresh[id(made)] = made
        return made

    def rule_of(self, made: Any) -> Rule | None:
        """Of what is no object of a class that a pickle names: each dtype has a class of its own."""
        numpy = sys.modules.get("numpy")
        return Rule(build=self.build_dtype) if numpy is not None and isinstance(made, numpy.dtype) else None

    def used(self, dtype: Any, *, plain: bool) -> Any:
        """That dtype, which from now on cannot change; `plain`: without objects."""
        np = _numpy()
        if not isinstance(dtype, np.dtype):
            raise Refused("numpy.ndarray", "its dtype is none")
        self._fresh.pop(id(dtype), None)
        if plain and dtype.hasobject:
            raise Refused("numpy.ndarray", "it makes objects of bytes, which would be pointers into this process")
        return dtype

    def build_dtype(self, made: Any, state: Any) -> None:
        if self._fresh.pop(id(made), None) is None:
            raise Refused("numpy.dtype", "it is given another state while it is used")
        if type(state) is not tuple or not 8 <= len(state) <= 9 or state[1] not in ("<", ">", "|", "="):
            raise Refused("numpy.dtype", "its state is none")
        _, order, sub, names, fields, size, _, flags, *more = state
        if sub is not None:
            whole, genuine = _states(self._subarray(sub))
        elif names is not None:
            whole, genuine = _states(self._structure(names, fields, size, flags))
        else:
            whole, genuine = self._simple(made, order, more)
        if whole != made.itemsize:
            raise Refused("numpy.dtype", "its size is not that of its parts")
        made.__setstate__(genuine)

    def _simple(self, made: Any, order: str, more: list[Any]) -> tuple[int, Any]:
        text = made.str[1:]
        extra = more[0] if more else None
        if made.kind in "mM" and type(extra) is tuple:
            given, (unit, number, divisor, events) = extra
            numbers = (number, divisor, events)
            if given or unit not in UNITS or any(type(one) is not int or one < 1 for one in numbers):
                raise Refused("numpy.dtype", "its unit is none")
            text = f"{made.kind}8[{number if number > 1 else ''}{unit.decode()}]" if unit != b"generic" else text
        elif extra:
            raise Refused("numpy.dtype", "it has metadata, which are not opened")
        return _simple_states(text, order)

    def _subarray(self, sub: Any) -> Any:
        np = _numpy()
        if type(sub) is not tuple or len(sub) != 2:
            raise Refused("numpy.dtype", "its part is none")
        base, shape = sub
        return np.dtype((self.used(base, plain=False), self._shape(shape)))

    def _structure(self, names: Any, fields: Any, size: Any, flags: Any) -> Any:
        np = _numpy()
        if type(names) is not tuple or type(fields) is not dict or type(size) is not int or type(flags) is not int:
            raise Refused("numpy.dtype", "its fields are none")
        parts: list[tuple[Any, int, Any]] = []
        for name in names:
            field = fields.get(name) if type(name) is str else None
            if type(field) is not tuple or not 2 <= len(field) <= 3 or type(field[1]) is not int:
                raise Refused("numpy.dtype", "its fields are none")
            title = field[2] if len(field) == 3 else None
            if type(title) not in (str, type(None)):
                raise Refused("numpy.dtype", "a field's title is no text")
            parts.append((self.used(field[0], plain=False), field[1], title))
        told: dict[str, Any] = {"names": list(names), "formats": [part[0] for part in parts], "itemsize": size}
        told["offsets"] = [part[1] for part in parts]
        if any(part[2] is not None for part in parts):
            told["titles"] = [part[2] for part in parts]
        return np.dtype(told, align=bool(flags & 0x80))

    # ---- arrays --------------------------------------------------------------------------------------------------

    def _shape(self, shape: Any) -> tuple[int, ...]:
        if type(shape) is not tuple or len(shape) > 64 or any(type(one) is not int or one < 0 for one in shape):
            raise Refused("numpy.ndarray", "its shape is none")
        return shape

    def _size(self, dtype: Any, shape: Any, received: int) -> None:
        """Is the array as large as what was received?"""
        count = math.prod(self._shape(shape))
        if count * dtype.itemsize != received or (not dtype.itemsize and count > EMPTY):
            raise Refused("numpy.ndarray", "its size is not that of its elements")

    def from_buffer(self, args: tuple[Any, ...]) -> Any:
        """An array on bytes that came with it."""
        np = _numpy()
        data, dtype, shape, order, *axes = args
        if type(data) not in (bytes, bytearray) or order not in ("C", "F", "A", "K") or len(axes) > 1:
            raise Refused("numpy.ndarray", "its elements are no bytes")
        self.used(dtype, plain=True)
        self._size(dtype, shape, len(data))
        if not len(data):
            return np.empty(shape, dtype, order="F" if order == "F" else "C")
        array = np.frombuffer(data, dtype)
        if axes and axes[0] is not None and order == "K":
            return array.reshape(shape).transpose(self._shape(axes[0]))
        return array.reshape(shape, order=order if order != "K" else "C")

    def reconstruct(self, args: tuple[Any, ...]) -> Any:
        """An empty array, which `build_array` then makes what it was."""
        np = _numpy()
        cls, shape, _ = args
        if not (cls is np.ndarray or (isinstance(cls, type) and issubclass(cls, np.ndarray) and self._own(cls))):
            raise Refused(getattr(cls, "__qualname__", "numpy.ndarray"), "it is no class of arrays that was sent there")
        if shape != (0,):
            raise Refused("numpy.ndarray", "it is made with a size, as no pickle of it is")
        made: Any = np.ndarray.__new__(cls, (0,), np.int8)
        self._fresh[id(made)] = made
        return made

    def build_array(self, made: Any, state: Any) -> None:
        np = _numpy()
        if self._fresh.pop(id(made), None) is None:
            raise Refused("numpy.ndarray", "it is given another state while it is used")
        if type(state) is not tuple or len(state) != 5 or type(state[3]) not in (bool, int):
            raise Refused("numpy.ndarray", "its state is none")
        _, shape, dtype, fortran, elements = state
        self.used(dtype, plain=False)
        if dtype.hasobject:
            if dtype.names is not None or dtype.subdtype is not None:  # numpy would convert what it is given, for ever
                raise Refused("numpy.ndarray", "it is of structures that hold objects")
            if type(elements) is not list or len(elements) != math.prod(self._shape(shape)):
                raise Refused("numpy.ndarray", "its objects are no list")
        else:
            if type(elements) is not bytes:
                raise Refused("numpy.ndarray", "its elements are no bytes")
            self._size(dtype, shape, len(elements))
            elements = bytes(memoryview(elements))  # numpy writes to them in place, and another may hold these
        np.ndarray.__setstate__(made, (1, shape, dtype, bool(fortran), elements))

    def scalar(self, args: tuple[Any, ...]) -> Any:
        np = _numpy()
        dtype, data = args
        self.used(dtype, plain=True)
        if type(data) is not bytes or len(data) != dtype.itemsize:
            raise Refused("numpy scalar", "its size is not that of its bytes")
        return np.frombuffer(data, dtype)[0] if data else np.zeros(1, dtype)[0]

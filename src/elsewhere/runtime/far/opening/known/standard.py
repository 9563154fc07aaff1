"""What may come back of the standard library, errors apart (see `errors`).

Each class is made in the way in which its own pickles do it, of arguments that are looked at, so that nothing grows
beyond what was received: no ``bytearray(10**12)``, no ``Counter`` of a range.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from elsewhere.runtime.far.opening.machine import ATOMS, Function, Refused

from . import containers  # noqa: F401 - it keeps its names in NAMES
from .rules import NAMES, VALUE, VALUES, Found, Rule, bare, check_atoms, named, state_of

__all__ = ["find", "members"]

FRACTION = re.compile(r"[+-]?\d{1,4000}(/\d{1,4000})?")
LONGEST = 1 << 16  # bits of a numerator or denominator: the greatest common divisor takes the square of it

SHAPES = frozenset(
    """calendar collections datetime decimal difflib dis doctest enum functools grp http inspect os plistlib platform
    posix pstats pwd re resource sched selectors shutil signal socket ssl statistics threading time tokenize
    urllib.parse uuid""".split()  # noqa: SIM905 - one line instead of thirty
)
"""Modules whose named tuples, struct sequences and enums may come back. To import one of them does nothing."""


def find(module: str, name: str) -> Found | None:
    """What the name means and what may be done with it; None where it may not come back."""
    known = _found.get((module, name))
    if known is None:
        known = _look_up(module, name)
        if known is not None:
            _found[module, name] = known
    return known


def _look_up(module: str, name: str) -> Found | None:
    make = NAMES.get((module, name))
    if make is not None:
        found = make()
        return found if type(found) is tuple else (found, None)
    if module in SHAPES:
        return _by_shape(module, name)
    return None


# ---- by shape --------------------------------------------------------------------------------------------------------


def _by_shape(module: str, name: str) -> Found | None:
    import enum

    try:
        found = vars(import_module(module)).get(name)
    except ImportError:  # resource, pwd and grp are not on each system
        return None
    if isinstance(found, enum.Enum):  # Python 3.8 to 3.10 name signal.SIGINT itself
        return (found, None) if type(found).__module__ in SHAPES else None
    if not isinstance(found, type) or found.__module__ not in SHAPES:
        return None
    if issubclass(found, enum.Enum):
        return found, Rule(call=members(found))
    if issubclass(found, tuple) and hasattr(found, "n_sequence_fields"):
        return found, Rule(call=_sequences(found))
    if issubclass(found, tuple) and type(getattr(found, "_fields", None)) is tuple:
        return found, _named(found)
    return None


def members(cls: Any) -> Callable[[tuple[Any, ...]], Any]:
    """Members of an enum, by value. Of flags only those that the class knows: each new one stays in it for good."""

    def call(args: tuple[Any, ...]) -> Any:
        if len(args) != 1:
            raise Refused(cls.__qualname__, "a member of an enum has one value")  # two make a new class
        mask = getattr(cls, "_flag_mask_", None)
        if mask is not None and (type(args[0]) is not int or args[0] & ~mask):
            raise Refused(cls.__qualname__, f"it has no flag {args[0]!r:.80}")
        return cls(args[0])

    return call


def _sequences(cls: Any) -> Callable[[tuple[Any, ...]], Any]:
    def call(args: tuple[Any, ...]) -> Any:
        items, more = args if len(args) == 2 else (*args, {})
        if type(items) is not tuple:
            raise Refused(cls.__qualname__, "it is not made of a tuple")
        state_of(cls.__qualname__, more)
        check_atoms(cls.__qualname__, (*items, *more.values()))
        return cls(items, more)

    return call


def _named(cls: Any) -> Rule:
    def make(args: tuple[Any, ...]) -> Any:
        if len(args) != len(cls._fields):
            raise Refused(cls.__qualname__, f"it has {len(cls._fields)} fields here and {len(args)} there")
        return tuple.__new__(cls, args)

    return Rule(call=make, new=lambda args, _: make(args))


# ---- by name ---------------------------------------------------------------------------------------------------------

_found: dict[tuple[str, str], Found] = {}


@named("builtins", "Ellipsis", "NotImplemented")
def _constants(found: Any) -> Found:
    return found, None


@named("builtins", *VALUES)
def _values(cls: type) -> Found:
    if cls is object:
        return cls, Rule(new=bare(cls))
    return cls, VALUE


def _of_atoms(cls: Any) -> Rule:
    def call(args: tuple[Any, ...]) -> Any:
        check_atoms(cls.__qualname__, args)
        return cls(*args)

    return Rule(call=call)


@named("builtins", "complex", "slice")
def _atomic(cls: type) -> Found:
    return cls, _of_atoms(cls)


@named("builtins", "bytearray")
def _bytearray(cls: type) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        if args and (len(args) != 1 or type(args[0]) is not bytes):
            raise Refused("bytearray", "it is not made of bytes")
        return bytearray(*args)

    return cls, Rule(call=call)


@named("builtins", "range")
def _range(cls: type) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        if len(args) != 3 or any(type(arg) is not int for arg in args):
            raise Refused("range", "it is not made of three integers")
        return range(*args)

    return cls, Rule(call=call)


@named("builtins", "type")
def _type(cls: type) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        if len(args) != 1 or not any(args[0] is one for one in (None, ..., NotImplemented)):
            raise Refused("type", "only the types of None, Ellipsis and NotImplemented are told by their values")
        return type(args[0])

    return cls, Rule(call=call)


@named("builtins", "getattr")
def _getattr(found: Any) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        import enum

        cls, name = args
        if isinstance(cls, type) and type(name) is str:
            if issubclass(cls, enum.Enum) and name in vars(cls)["_member_map_"]:
                return vars(cls)["_member_map_"][name]
            if (cls.__module__, name) == ("zoneinfo", "_unpickle"):
                return Function("zoneinfo.ZoneInfo._unpickle", _zone)
        raise Refused("getattr", "only members of enums are looked up")

    return Function("getattr", call), None


@named("platform", "uname_result")
def _uname(cls: Any) -> Found:
    def make(args: tuple[Any, ...]) -> Any:
        check_atoms("platform.uname_result", args)
        made = cls(*args[:5])
        # Only Python 3.8 tells the processor; asked for, it would be looked up here, by a command, for another machine.
        vars(made)["processor"] = args[5] if len(args) > 5 else ""
        return made

    return cls, Rule(call=make, new=lambda args, _: make(args))


@named("zoneinfo", "ZoneInfo")
def _zones(cls: type) -> Found:
    return cls, VALUE


def _zone(args: tuple[Any, ...]) -> Any:
    from zoneinfo import ZoneInfo

    key, cached = args
    if type(key) is not str:
        raise Refused("zoneinfo.ZoneInfo", "its key is no text")
    return ZoneInfo(key) if cached else ZoneInfo.no_cache(key)


@named("datetime", "date", "datetime", "time", "timedelta", "timezone")
def _dates(cls: Any) -> Found:
    from datetime import timedelta, tzinfo

    def call(args: tuple[Any, ...]) -> Any:
        for arg in args:
            if type(arg) not in ATOMS and not isinstance(arg, tzinfo | timedelta):
                raise Refused(cls.__qualname__, f"it is made of a {type(arg).__qualname__}")
        return cls(*args)

    return cls, Rule(call=call)


@named("decimal", "Decimal")
def _decimal(cls: Any) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        (text,) = args
        if type(text) is not str:  # a long int would take the square of its length
            raise Refused("Decimal", "it is not made of text")
        return cls(text)

    return cls, Rule(call=call)


@named("fractions", "Fraction")
def _fraction(cls: Any) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        if len(args) == 1 and type(args[0]) is str and FRACTION.fullmatch(args[0]):
            return cls(args[0])
        if len(args) == 2 and all(type(arg) is int and arg.bit_length() <= LONGEST for arg in args):
            return cls(*args)
        raise Refused("Fraction", "it is not made of two integers, or they are too long")

    return cls, Rule(call=call)


@named("uuid", "UUID")
def _uuid(cls: Any) -> Found:
    def build(made: Any, state: Any) -> None:
        state_of("UUID", state, frozenset({"int", "is_safe"}))
        check_atoms("UUID", tuple(state.values()))
        if type(state.get("int")) is not int or not 0 <= state["int"] < 1 << 128:
            raise Refused("UUID", "it is no integer of 128 bits")
        made.__setstate__(state)

    return cls, Rule(new=bare(cls), build=build)


@named("pathlib", "PurePath", "PurePosixPath", "PureWindowsPath", "Path", "PosixPath", "WindowsPath")
def _paths(cls: Any) -> Found:
    def call(args: tuple[Any, ...]) -> Any:
        if any(type(arg) is not str for arg in args):
            raise Refused(cls.__qualname__, "it is not made of text")
        return cls(*args)

    return cls, Rule(call=call)


for _path in ("PurePath", "PurePosixPath", "PureWindowsPath", "Path", "PosixPath", "WindowsPath"):
    NAMES["pathlib._local", _path] = NAMES["pathlib", _path]  # as Python 3.13 calls them


@named("ipaddress", "IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network", "IPv4Interface", "IPv6Interface")
def _addresses(cls: Any) -> Found:
    return cls, _of_atoms(cls)


@named("array", "array")
def _array(cls: type) -> Found:
    return cls, VALUE


@named("array", "_array_reconstructor")
def _arrays(make: Any) -> Found:
    import array

    def call(args: tuple[Any, ...]) -> Any:
        cls, *rest = args
        if cls is not array.array or [type(one) for one in rest] != [str, int, bytes]:
            raise Refused("array.array", "it is not made of a type, a format and bytes")
        return make(*args)

    return Function("array._array_reconstructor", call), None

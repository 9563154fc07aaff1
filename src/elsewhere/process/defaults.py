"""The start method of who names none, and what the fork server is to import: set once for the process, as there.

Rule: the only state of `set_start_method` and `set_forkserver_preload`; "forkserver" until somebody says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "METHODS",
    "check",
    "current",
    "get_all_start_methods",
    "get_start_method",
    "preload",
    "set_forkserver_preload",
    "set_start_method",
]

METHODS = ("forkserver", "spawn", "fork")

_method: str | None = None
_preload: tuple[str, ...] = ()


def check(method: str) -> str:
    """The method, if it is one.

    Raises:
        ValueError: it is none.
    """
    if method not in METHODS:
        raise ValueError(f"cannot find context for {method!r}: it is one of {', '.join(map(repr, METHODS))}")
    return method


def current() -> str:
    """What a process without a context is started by."""
    return _method or METHODS[0]


def get_all_start_methods() -> list[str]:
    """All of them, the default first."""
    return list(METHODS)


def get_start_method(allow_none: bool = False) -> str | None:
    """The start method, which is fixed by asking.

    Args:
        allow_none: do not fix it: None, if nobody has set one or asked for it.
    """
    global _method
    if _method is None and not allow_none:
        _method = METHODS[0]
    return _method


def set_start_method(method: str | None, force: bool = False) -> None:
    """How processes are started from here on.

    Args:
        method: ``"forkserver"``, ``"spawn"`` or ``"fork"``; see `get_context`.
        force: change it though it is fixed; None as the method then makes it open again.

    Raises:
        RuntimeError: it was set or asked for before; with `force` it is changed all the same.
        ValueError: there is no such method.
    """
    global _method
    if _method is not None and not force:
        raise RuntimeError("context has already been set: use set_start_method(..., force=True) to change it")
    _method = None if method is None and force else check(str(method))


def preload() -> tuple[str, ...]:
    """Modules for the fork server."""
    return _preload


def set_forkserver_preload(module_names: Iterable[str]) -> None:
    """Have the fork server import these modules, once, before it forks.

    ``"__main__"`` in the list is ignored: it is never run again, what a process needs of it travels by value.

    Args:
        module_names: such as ``["numpy"]``; it takes the place of what was said before.

    Raises:
        TypeError: it is no list of str.
    """
    global _preload
    names = list(module_names)
    if isinstance(module_names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError("module_names must be a list of strings")
    _preload = tuple(name for name in names if name != "__main__")

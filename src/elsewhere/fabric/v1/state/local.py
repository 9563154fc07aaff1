"""Dictionaries that each task sees its own of, while tasks run side by side.

``env`` and ``output`` are globals that task files write to. Where the original forks a process for each host, so that
what a task writes there stays its own, we run tasks in threads; each of them is given an *overlay*, a copy of all that
stood there when it began, by a context variable. Outside of parallel tasks they are plain dicts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

__all__ = ["AliasDict", "AttributeDict", "isolated"]

_overlays: ContextVar[dict[int, dict[Any, Any]] | None] = ContextVar("elsewhere-fabric-overlays", default=None)
_shared: list[AttributeDict] = []
F = TypeVar("F", bound=Callable[..., Any])


def _own(name: str) -> Any:
    """A method of dict that works on the overlay where there is one."""
    plain = getattr(dict, name)

    def method(self: AttributeDict, *args: Any, **kwargs: Any) -> Any:
        return plain(self._now(), *args, **kwargs)

    method.__name__ = name
    method.__doc__ = plain.__doc__
    return method


class AttributeDict(dict[Any, Any]):
    """A dict whose keys are attributes too: ``env.user`` is ``env["user"]``.

    Args:
        given: what it holds first.
        shared: each parallel task is to have its own.
    """

    def __init__(self, given: Any = (), *, shared: bool = False) -> None:
        dict.__init__(self, given)
        if shared:
            _shared.append(self)

    def _now(self) -> dict[Any, Any]:
        overlays = _overlays.get()
        return self if overlays is None else overlays.get(id(self), self)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    def first(self, *names: Any) -> Any:
        """The first of these keys' values that is true, or None."""
        return next((value for value in map(self.get, names) if value), None)

    def __reduce__(self) -> Any:
        return type(self), (dict(self._now()),)

    def __hash__(self) -> int:  # type: ignore[override]  # dicts have none; this one must not get one either
        raise TypeError(f"unhashable type: {type(self).__name__!r}")

    __getitem__, __setitem__, __delitem__ = _own("__getitem__"), _own("__setitem__"), _own("__delitem__")
    __contains__, __iter__, __len__, __reversed__ = (
        _own("__contains__"), _own("__iter__"), _own("__len__"), _own("__reversed__"),
    )  # fmt: skip
    __eq__, __ne__, __repr__ = _own("__eq__"), _own("__ne__"), _own("__repr__")
    get, keys, values, items, copy = _own("get"), _own("keys"), _own("values"), _own("items"), _own("copy")
    pop, popitem, setdefault, update, clear = (
        _own("pop"), _own("popitem"), _own("setdefault"), _own("update"), _own("clear"),
    )  # fmt: skip


class AliasDict(AttributeDict):
    """An `AttributeDict` in which some keys stand for others: to set one sets all of those, and it has no value.

    Args:
        given: what it holds first.
        aliases: names to lists of keys or of further aliases.
        shared: see `AttributeDict`.
    """

    def __init__(self, given: Any = (), aliases: Any = None, *, shared: bool = False) -> None:
        dict.__setattr__(self, "aliases", dict(aliases or {}))
        super().__init__(given, shared=shared)

    def __setitem__(self, key: Any, value: Any) -> None:
        if key in self.aliases:
            for meant in self.aliases[key]:
                self[meant] = value
        else:
            dict.__setitem__(self._now(), key, value)

    def __reduce__(self) -> Any:
        return type(self), (dict(self._now()), self.aliases)

    def expand_aliases(self, keys: Any) -> list[Any]:
        """The keys that these stand for, in their order, with repetitions."""
        found: list[Any] = []
        for key in keys:
            found += self.expand_aliases(self.aliases[key]) if key in self.aliases else [key]
        return found


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Within this block, in this thread's context, the shared dicts are copies, and what is written to them goes away.

    Lists, dicts and sets that they hold are copied too.
    """
    token = _overlays.set({id(each): {key: _copied(value) for key, value in each.items()} for each in _shared})
    try:
        yield
    finally:
        _overlays.reset(token)


def _copied(value: Any) -> Any:
    if type(value) in {list, set}:
        return value.copy()
    return {key: _copied(part) for key, part in value.items()} if type(value) is dict else value

"""What a manager's dict can do beyond multiprocessing's: several steps at once, in the server.

Rule: each takes the dict first and is one operation for all clients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["ADDITIONS"]

_MISSING = object()


def increment(values: dict[Any, Any], key: Any, by: Any = 1) -> Any:
    """Add to a value, which is 0 if there is none; returns the new one."""
    value = values[key] = values.get(key, 0) + by
    return value


def compare_and_set(values: dict[Any, Any], key: Any, old: Any, new: Any) -> bool:
    """Set a value if it equals `old` now; False if it does not, or there is none."""
    found = values.get(key, _MISSING)
    if found is _MISSING or not (found is old or found == old):
        return False
    values[key] = new
    return True


def get_many(values: dict[Any, Any], keys: Iterable[Any]) -> dict[Any, Any]:
    """Of those keys that are there, the values of one moment."""
    return {key: values[key] for key in keys if key in values}


def update_with(values: dict[Any, Any], key: Any, fn: Callable[[Any], Any], *default: Any) -> Any:
    """Set a value to ``fn(value)`` and return that; where there is none, ``fn(default)`` or a KeyError."""
    if len(default) > 1:
        raise TypeError("update_with takes a key, a function and at most one default")
    value = values[key] = fn(values.get(key, *default) if default else values[key])
    return value


ADDITIONS: dict[str, Callable[..., Any]] = {
    "increment": increment,
    "compare_and_set": compare_and_set,
    "get_many": get_many,
    "update_with": update_with,
}

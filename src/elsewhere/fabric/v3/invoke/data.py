"""Settings that are keys and attributes: ``c.config.run.echo`` is ``c.config["run"]["echo"]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["DataProxy", "copied", "merged"]


def copied(source: Mapping[str, Any]) -> dict[str, Any]:
    """A copy whose dicts are copies; other values are the same objects."""
    return {key: copied(value) if isinstance(value, dict) else value for key, value in source.items()}


def merged(base: dict[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    """`base`, with the updates in it at every depth.

    Raises:
        ValueError: one has a group of settings where the other has a value.
    """
    for key, value in updates.items():
        if isinstance(value, DataProxy):
            value = value.plain()
        if (
            key in base
            and isinstance(base[key], dict) != isinstance(value, dict)
            and None not in {None if base[key] is None else 1, None if value is None else 1}
        ):
            raise ValueError(f"the setting {key!r} is a group of settings in one place and a value in another")
        if isinstance(value, dict):
            base[key] = merged(base[key], value) if isinstance(base.get(key), dict) else copied(value)
        else:
            base[key] = value
    return base


class DataProxy:
    """A part of a `Config`, or all of it.

    Args:
        root: the whole.
        path: to this part.
    """

    _root: Any
    _path: tuple[str, ...]

    def __init__(self, root: Any, path: tuple[str, ...] = ()) -> None:
        self._set(_root=root, _path=path)

    def _set(self, *args: Any, **values: Any) -> None:
        """Attributes of ours, which are no settings."""
        if args:
            object.__setattr__(self, args[0], args[1])
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _data(self) -> dict[str, Any]:
        found: dict[str, Any] = self._root.merged_data()
        for key in self._path:
            found = found[key]
        return found

    def plain(self) -> dict[str, Any]:
        """It, as dicts."""
        return copied(self._data())

    # ---- attributes --------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in {"_root", "_path"}:
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            keys = sorted(map(str, self._data()))
            raise AttributeError(
                f"No attribute or config key found for {name!r}\n\nValid keys: {keys!r}\n\n"
                f"Valid real attributes: {sorted(each for each in dir(type(self)) if not each.startswith('_'))!r}"
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name) or name in vars(self):
            object.__setattr__(self, name, value)
        else:
            self[name] = value

    def __delattr__(self, name: str) -> None:
        if name in vars(self):
            object.__delattr__(self, name)
            return
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    # ---- keys --------------------------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        value = self._data()[key]
        return DataProxy(self._root, (*self._path, key)) if isinstance(value, dict) else value

    def __setitem__(self, key: str, value: Any) -> None:
        self._root.changed((*self._path, key), value.plain() if isinstance(value, DataProxy) else value)

    def __delitem__(self, key: str) -> None:
        if key not in self._data():
            raise KeyError(key)
        self._root.removed((*self._path, key))

    def __contains__(self, key: object) -> bool:
        return key in self._data()

    def __iter__(self) -> Iterator[str]:
        return iter(self._data())

    def __len__(self) -> int:
        return len(self._data())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DataProxy):
            return self._data() == other._data()
        return self._data() == other

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._data()!r}>"

    def keys(self) -> Any:
        return self._data().keys()

    def values(self) -> list[Any]:
        return [self[key] for key in self]

    def items(self) -> list[tuple[str, Any]]:
        return [(key, self[key]) for key in self]

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **values: Any) -> None:
        for key, value in dict(*args, **values).items():
            self[key] = value

    def pop(self, key: str, *default: Any) -> Any:
        if key not in self and default:
            return default[0]
        found = self[key]
        found = found.plain() if isinstance(found, DataProxy) else found
        del self[key]
        return found

    def popitem(self) -> tuple[str, Any]:
        key = next(reversed(self._data()))
        return key, self.pop(key)

    def clear(self) -> None:
        for key in list(self):
            del self[key]

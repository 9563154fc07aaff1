"""The by-value pickler of the worker: what came from the caller goes back as the caller's own object.

The law of the file: no global and no class attribute travels in this direction, except those of a class that the
worker's own code made, on its first arrival.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from . import restore
from .byvalue import BY_NAME, ByValuePickler, Reduced, class_parts, dispatch_table
from .namespace import current

__all__ = ["dumps"]


def dumps(value: Any, take: Callable[[Any], object] | None = None) -> bytes:
    """`value` as bytes for `loads_result`; `take` is pickle's ``buffer_callback``."""
    pickler = ReturningPickler(sys.modules["__main__"].__dict__, dispatch_table(), take)
    try:
        pickler.dump(value)
    finally:
        pickler.clear_memo()  # see `book`
    return pickler.file.getvalue()


class ReturningPickler(ByValuePickler):
    """One result."""

    def reference(self, obj: Any, kind: type) -> Reduced | None:
        if kind not in BY_NAME or kind is type:  # classes: below
            return None
        return self.named(getattr(obj, "__qualname__", obj.__name__), obj)

    def named(self, name: str, obj: Any) -> Reduced | None:
        namespace = current()
        return (restore.own, (name,)) if namespace is not None and namespace.shipped.get(name) is obj else None

    def class_by_value(self, cls: type, key: str | None) -> Reduced:
        tracker_id, maker, args, attributes = class_parts(cls)
        if restore.created_here(cls):
            return restore.own_class, (tracker_id, cls.__qualname__)
        made = None, tracker_id, maker, args
        return restore.make_class, made, attributes, None, None, restore.set_class_once

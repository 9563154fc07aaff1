"""What pickle is told about buffers: which of them travel beside the pickle, and how bytes become such buffers.

Rule: light; nothing here knows of blocks, and nothing is imported for it.
"""

from __future__ import annotations

from pickle import PickleBuffer
from typing import Any

__all__ = ["LARGE", "MARKER", "SINGLE", "Collector", "reduce_view", "whole", "whole_call"]

LARGE = 1 << 16  # bytes from which a buffer or a pickle travels in a block
MARKER = 0  # the first byte of a parcel; a pickle begins with 0x80
SINGLE = frozenset({bytes, bytearray, memoryview})  # pickle writes these into itself, or not at all


class Collector(list[PickleBuffer]):
    """The large buffers of one value; `take` is pickle's ``buffer_callback``."""

    __slots__ = ()

    def take(self, buffer: PickleBuffer) -> bool:
        """Keep a large buffer; True sends a small one within the pickle."""
        with memoryview(buffer) as view:
            if view.nbytes < LARGE:
                return True
        self.append(buffer)
        return False

    def emptied(self) -> list[PickleBuffer]:
        """What was collected; nothing is kept."""
        found = list(self)
        self.clear()
        return found


class _Whole:
    """Stands for bytes, a bytearray or a memoryview, as a buffer that can travel beside the pickle."""

    __slots__ = ("_reduced",)

    def __init__(self, *reduced: Any) -> None:
        self._reduced = reduced

    def __reduce__(self) -> Any:
        return self._reduced


def whole(value: Any) -> Any:
    """A stand-in for a large bytes or bytearray, or any memoryview; anything else as it is.

    Raises:
        TypeError: a memoryview with a format that memoryview itself cannot make.
    """
    kind = type(value)
    if kind not in SINGLE:
        return value
    if kind is memoryview:
        return _Whole(*reduce_view(value))
    return value if len(value) < LARGE else _Whole(kind, (PickleBuffer(value),))


def whole_call(item: Any, kind: str) -> Any:
    """`whole` for a call's item: a value, a tuple of arguments, or those and keyword arguments."""
    if kind == "value":
        return whole(item)
    if kind == "args":
        if type(item) is not tuple or SINGLE.isdisjoint(map(type, item)):
            return item
        same: dict[int, Any] = {}  # an object that is given twice stays one object
        return tuple(same.setdefault(id(value), whole(value)) for value in item)
    args, kwargs = item
    if SINGLE.isdisjoint(map(type, args)) and SINGLE.isdisjoint(map(type, kwargs.values())):
        return item
    same = {}
    args = tuple(same.setdefault(id(value), whole(value)) for value in args)
    return args, {name: same.setdefault(id(value), whole(value)) for name, value in kwargs.items()}


def reduce_view(view: memoryview) -> Any:
    """How a memoryview is pickled: as its buffer, its format and its shape."""
    try:
        memoryview(bytes(view.itemsize)).cast(view.format)  # type: ignore[call-overload]  # a text that is tried
    except ValueError:
        raise TypeError(
            f"cannot pickle a memoryview of format {view.format!r}: send the object it is a view of"
        ) from None
    flat = view if view.c_contiguous else view.tobytes()
    return make_view, (PickleBuffer(flat), view.format, view.shape)


def make_view(buffer: Any, form: str, shape: tuple[int, ...]) -> memoryview:
    """The memoryview, at the other end."""
    flat = memoryview(buffer).cast("B")
    if len(shape) == 1 or 0 in shape:
        return flat.cast(form)  # type: ignore[call-overload,no-any-return]  # checked when it was sent
    return flat.cast("B").cast(form, shape)  # type: ignore[call-overload,no-any-return]  # see above

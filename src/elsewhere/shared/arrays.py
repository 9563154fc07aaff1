"""NumPy arrays in shared memory: `ndarray`, `zeros`, `full`, `copy_of`.

Rule: an array is shared if its memory is, and that is asked of its chain of bases, not remembered. A slice, a reshape,
a transpose have their block's exporter at the chain's end; what arithmetic, fancy indexing and copying make has not,
and is an ordinary private `numpy.ndarray`. A pickle of a shared one is its block's handle, and where in that it lies.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Self, SupportsIndex

try:
    import numpy as np
except ImportError as failure:
    raise ImportError(
        f"elsewhere.shared's arrays need NumPy ({failure}): python -m pip install 'elsewhere[numpy]'"
    ) from failure

from elsewhere.shared.named import Named, wanted

Memory: Any = Named
if not wanted():
    from elsewhere.shared.block import Block as Memory  # it needs Linux

__all__ = ["copy_of", "full", "ndarray", "zeros"]

Shape = SupportsIndex | Sequence[SupportsIndex]

# Methods that may give a copy, or nothing else: what is not shared is not of our class.
COPYING = (
    "__copy__", "__deepcopy__", "astype", "byteswap", "choose", "clip", "compress", "conj", "conjugate", "copy",
    "cumprod", "cumsum", "diagonal", "dot", "flatten", "max", "min", "ravel", "repeat", "reshape", "round", "squeeze",
    "take", "trace",
)  # fmt: skip


class ndarray(np.ndarray[Any, np.dtype[Any]]):  # noqa: N801 - numpy's name for it
    """An array in anonymous shared memory, zeros at first.

    Pass it to calls, put it into containers, pickle it as often as you like: whoever loads that, as the same user on
    this machine, has the same memory, as long as one process that has the array lives. On systems other than Linux it
    is a file in the folder for temporary files, which its creator has to keep until it was opened, and which a creator
    that is killed leaves behind.

    Args:
        shape: as in `numpy.zeros`.
        dtype: anything but Python objects, whose pointers mean nothing elsewhere.
        order: ``"C"`` or ``"F"``.

    Raises:
        MemoryError: there is not enough memory; says the sizes.
        TypeError: the dtype has Python objects.
    """

    def __new__(cls, shape: Shape, dtype: Any = float, order: Any = "C") -> Self:
        kind = _checked(np.dtype(dtype))
        lengths = _lengths(shape)
        size = kind.itemsize
        for length in lengths:
            size *= length
        return super().__new__(cls, lengths, kind, Memory.new(size).exporter(), order=order)

    @classmethod
    def zeros(cls, shape: Shape, dtype: Any = float, order: Any = "C") -> ndarray:
        """As `elsewhere.shared.zeros`."""
        return cls(shape, dtype, order)

    @classmethod
    def full(cls, shape: Shape, fill_value: Any, dtype: Any = None, order: Any = "C") -> ndarray:
        """As `elsewhere.shared.full`."""
        array = cls(shape, np.asarray(fill_value).dtype if dtype is None else dtype, order)
        array[...] = fill_value
        return array

    @classmethod
    def copy_of(cls, array: Any) -> ndarray:
        """As `elsewhere.shared.copy_of`."""
        given = np.asarray(array)
        shared = cls(given.shape, given.dtype, "F" if given.flags.fnc else "C")
        shared[...] = given
        return shared

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        block = _block_of(self)
        if block is None:
            return self.view(np.ndarray).__reduce_ex__(protocol)
        offset = self.__array_interface__["data"][0] - block.address
        return _view, (block, offset, self.shape, self.strides, self.dtype, bool(self.flags.writeable))

    def __reduce__(self) -> Any:
        return self.__reduce_ex__(2)

    def __getitem__(self, index: Any) -> Any:
        return _tidy(super().__getitem__(index))

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        if array is self:  # the ufunc's own out=
            return self
        return array[()] if return_scalar else _tidy(array)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        result = super().__array_function__(func, types, args, kwargs)
        if type(result) in (list, tuple):
            return type(result)(map(_tidy, result))
        return _tidy(result)


def zeros(shape: Shape, dtype: Any = float, order: Any = "C") -> ndarray:
    """As `numpy.zeros`, in shared memory: see `ndarray`.

    Args:
        shape: a number, or a tuple of them.
        dtype: of its elements; float by default.
        order: ``"C"`` or ``"F"``.

    Raises:
        MemoryError: there is not enough memory; says the sizes.
        TypeError: the dtype has Python objects.
    """
    return ndarray(shape, dtype, order)


def full(shape: Shape, fill_value: Any, dtype: Any = None, order: Any = "C") -> ndarray:
    """As `numpy.full`, in shared memory: see `ndarray`.

    Args:
        shape: a number, or a tuple of them.
        fill_value: what is in each element.
        dtype: of its elements; that of `fill_value` by default.
        order: ``"C"`` or ``"F"``.

    Raises:
        MemoryError: there is not enough memory; says the sizes.
        TypeError: the dtype has Python objects.
    """
    return ndarray.full(shape, fill_value, dtype, order)


def copy_of(array: Any) -> ndarray:
    """A copy of the array in shared memory: see `ndarray`.

    Args:
        array: an array, or what `numpy.asarray` makes one of; the copy has its shape, dtype and order.

    Raises:
        MemoryError: there is not enough memory; says the sizes.
        TypeError: the dtype has Python objects.
    """
    return ndarray.copy_of(array)


def _view(
    block: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any, writeable: bool
) -> ndarray:
    """The same view of the block, in this process: what its pickle calls.

    Raises:
        TypeError, ValueError: it does not lie within the block; NumPy looks.
    """
    exporter: Any = block.exporter()
    if not writeable:
        # By way of an array, as NumPy keeps not the memoryview but what that is of: setflags would make it writable.
        exporter = np.frombuffer(memoryview(exporter).toreadonly(), "u1")
    return np.ndarray.__new__(ndarray, shape, _checked(dtype), exporter, offset, strides)


def _block_of(array: Any) -> Any:
    """The shared memory that the array is a view of."""
    base = array
    while (inner := getattr(base, "base", None)) is not None:  # of arrays, and of what as_strided puts between
        base = inner
    if isinstance(base, memoryview):
        base = base.obj
    block = getattr(base, "block", None)
    return block if type(block) is Memory else None


def _tidy(result: Any) -> Any:
    """What is not shared as an ordinary array."""
    if type(result) is ndarray and _block_of(result) is None:
        return result.view(np.ndarray)
    return result


def _checked(dtype: Any) -> Any:
    if dtype.hasobject:
        raise TypeError(
            f"an array of {dtype} holds Python objects, which cannot be shared: they are pointers into one process. "
            "Take a dtype of plain values, or pass an ordinary array, which is pickled"
        )
    return dtype


def _lengths(shape: Shape) -> tuple[int, ...]:
    try:
        lengths = (shape.__index__(),) if isinstance(shape, SupportsIndex) else tuple(n.__index__() for n in shape)
    except (AttributeError, TypeError):
        raise TypeError(f"a shape is an integer or a tuple of integers, not {shape!r}") from None
    if any(length < 0 for length in lengths):
        raise ValueError(f"negative dimensions are not allowed: {lengths}")
    return lengths


def _tidied(name: str) -> Any:
    method = getattr(np.ndarray, name)

    @functools.wraps(method)
    def tidied(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        return _tidy(method(self, *args, **kwargs))

    return tidied


for _name in COPYING:
    setattr(ndarray, _name, _tidied(_name))

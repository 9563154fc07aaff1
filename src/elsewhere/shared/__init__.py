"""Data that several processes see: NumPy arrays and ctypes objects in anonymous shared memory.

::

    ndarray, zeros, full, copy_of       NumPy arrays                        arrays.py
    Array, Value, RawArray, RawValue    multiprocessing's, without traps    values.py
    Number, Numbers                     single ones under a lock of ours    single.py
    RLock                               what guards those                   lock.py
    Piece                               where small ones lie                pieces.py
    Block                               one piece of shared memory          block.py
    Named                               the same where there is no Linux    named.py
    managers                            objects in a process of their own   managers/

The law of the room: a pickle holds a handle, never the data, and whoever opens one verifies what it maps. Nothing has a
name that could be left behind: memory and locks are the kernel's, which frees them when their last process is gone.

All that needs Linux (memfd, /proc, robust mutexes). On other systems arrays are mapped files, and `Array` and `Value`
are multiprocessing's.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from elsewhere.shared.arrays import copy_of, full, ndarray, zeros
    from elsewhere.shared.values import Array, RawArray, RawValue, Value

_HOMES = {
    "elsewhere.shared.arrays": ("copy_of", "full", "ndarray", "zeros"),
    "elsewhere.shared.values": ("Array", "RawArray", "RawValue", "Value"),
}
if sys.platform != "linux":
    _HOMES["multiprocessing"] = _HOMES.pop("elsewhere.shared.values")
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["Array", "RawArray", "RawValue", "Value", "copy_of", "full", "ndarray", "zeros"]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'elsewhere.shared' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

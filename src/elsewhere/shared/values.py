"""`Array Value RawArray RawValue`: multiprocessing's, with the same types, that can be passed anywhere.

Rule: what is made is multiprocessing's own: ctypes objects, and `Synchronized` wrappers that are instances of theirs.
Ours are where the bytes lie (`pieces.py`), the lock (`lock.py`), and that a pickle is a handle also when no process is
being started: to calls of a pool, in queues and pipes, in a file.

How a ctypes type is pickled is registered with `copyreg` and multiprocessing when the first shared object of it is made
or arrives: what is no shared object of ours goes on as before.
"""

from __future__ import annotations

import copyreg
import ctypes
import multiprocessing.sharedctypes as standard
import pickle
from multiprocessing.reduction import ForkingPickler
from typing import Any

from elsewhere.errors import ProtocolError
from elsewhere.shared.lock import RLock
from elsewhere.shared.pieces import Piece, take
from elsewhere.shared.single import mixins

__all__ = ["Array", "RawArray", "RawValue", "Value"]

CODES: dict[Any, Any] = standard.typecode_to_type  # type: ignore[attr-defined]  # not in the stubs
DATA = ctypes.Array.__mro__[1]  # what ctypes objects have in common


def RawValue(typecode_or_type: Any, *args: Any) -> Any:  # noqa: N802 - multiprocessing's name
    """A ctypes object in shared memory, without a lock.

    Args:
        typecode_or_type: one of ``c u b B h H i I l L q Q f d``, or a ctypes type.
        *args: what the type is called with; zero without.
    """
    value = _place(_type(typecode_or_type))
    value.__init__(*args)
    return value


def RawArray(typecode_or_type: Any, size_or_initializer: Any) -> Any:  # noqa: N802 - multiprocessing's name
    """A ctypes array in shared memory, without a lock.

    Args:
        typecode_or_type: as for `RawValue`.
        size_or_initializer: how many zeros, or the elements.
    """
    kind = _type(typecode_or_type)
    if isinstance(size_or_initializer, int):
        if size_or_initializer < 0:
            raise ValueError(f"an array cannot have {size_or_initializer} elements")
        return _place(kind * size_or_initializer)
    array = _place(kind * len(size_or_initializer))
    array.__init__(*size_or_initializer)
    return array


def Value(typecode_or_type: Any, *args: Any, lock: Any = True) -> Any:  # noqa: N802 - multiprocessing's name
    """A `RawValue` in a wrapper with a lock, unless `lock` is False.

    Args:
        typecode_or_type: as for `RawValue`.
        *args: as for `RawValue`.
        lock: a lock of one's own; a new recursive one if True or None.
    """
    return _guarded(RawValue(typecode_or_type, *args), lock)


def Array(typecode_or_type: Any, size_or_initializer: Any, *, lock: Any = True) -> Any:  # noqa: N802 - multiprocessing's name
    """A `RawArray` in a wrapper with a lock, unless `lock` is False.

    Args:
        typecode_or_type: as for `RawArray`.
        size_or_initializer: as for `RawArray`.
        lock: as for `Value`.
    """
    return _guarded(RawArray(typecode_or_type, size_or_initializer), lock)


def _type(typecode_or_type: Any) -> Any:
    kind = CODES.get(typecode_or_type) if isinstance(typecode_or_type, str) else typecode_or_type
    if not isinstance(kind, type) or not issubclass(kind, DATA):
        codes = " ".join(sorted(CODES))
        raise TypeError(f"{typecode_or_type!r} is no type of shared data: give one of {codes}, or a ctypes type")
    return kind


def _place(kind: Any) -> Any:
    return _made(kind, take(ctypes.sizeof(kind)))


def _made(kind: Any, piece: Piece) -> Any:
    """The ctypes object in those bytes."""
    if kind not in copyreg.dispatch_table:
        copyreg.pickle(kind, _reduce)
        ForkingPickler.register(kind, _reduce)
    value = kind.from_buffer(piece.create_memoryview())
    value._wrapper = piece  # multiprocessing's name for it: its own pickling finds it there
    return value


def _reduce(value: Any) -> Any:
    """How any object of such a type is pickled: ours as a handle, others as ever."""
    piece = getattr(value, "_wrapper", None)
    if type(piece) is Piece:
        return _rebuild, _parts(value)
    if piece is not None:
        return standard.reduce_ctype(value)  # type: ignore[attr-defined]  # not in the stubs; shared, but theirs
    return value.__reduce_ex__(pickle.DEFAULT_PROTOCOL)


def _parts(value: Any) -> tuple[Any, int | None, Piece]:
    if isinstance(value, ctypes.Array):  # such types have no name that could be imported
        return value._type_, value._length_, value._wrapper  # type: ignore[attr-defined]  # set by `_made`
    return type(value), None, value._wrapper


def _rebuild(kind: Any, length: int | None, piece: Piece) -> Any:
    """The same object in this process: what its pickle calls.

    Raises:
        ProtocolError: the piece has not its size.
    """
    kind = _type(kind) if length is None else _type(kind) * length
    if type(piece) is not Piece or ctypes.sizeof(kind) != piece.size:
        raise ProtocolError(f"a handle of shared memory does not fit {kind.__name__}: it was forged or damaged")
    return _made(kind, piece)


# ---- with a lock -------------------------------------------------------------------------------------------------


def _guarded(value: Any, lock: Any) -> Any:
    if lock is False:
        return value
    if lock is True or lock is None:
        lock = RLock()
    elif not hasattr(lock, "acquire"):
        raise AttributeError(f"{lock!r} has no method 'acquire': a lock is True, False, or an object that has it")
    return _synchronized(value, lock)


def _synchronized(value: Any, lock: Any) -> Any:
    """The wrapper of multiprocessing's kind, of a class that can be pickled at any time."""
    kind, quick = type(value), type(lock) is RLock
    ours = _classes.get((kind, quick))
    if ours is None:
        theirs = _wrapper(kind)
        bases = (*mixins(kind), _Passable, theirs) if quick else (_Passable, theirs)
        ours = _classes[kind, quick] = type(theirs.__name__, bases, {"__module__": theirs.__module__})
    return ours(value, lock)


def _wrapper(kind: Any) -> Any:
    """The class that multiprocessing would take."""
    if issubclass(kind, ctypes._SimpleCData):
        return standard.Synchronized
    if issubclass(kind, ctypes.Array):
        return standard.SynchronizedString if kind._type_ is ctypes.c_char else standard.SynchronizedArray
    make: Any = standard.synchronized
    return type(make(kind(), RLock()))  # it makes one for each structure


class _Passable:
    """Before multiprocessing's class, which is pickled only while a process is started."""

    _obj: Any
    _lock: Any

    def __reduce__(self) -> Any:
        # Not the ctypes object itself: multiprocessing's registered way may by now be theirs again.
        return _restore, (*_parts(self._obj), self._lock)


def _restore(kind: Any, length: int | None, piece: Piece, lock: Any) -> Any:
    """The same wrapper in this process: what its pickle calls."""
    return _synchronized(_rebuild(kind, length, piece), lock)


_classes: dict[tuple[type, bool], Any] = {}  # by ctypes type, which others keep as well, and whether the lock is ours

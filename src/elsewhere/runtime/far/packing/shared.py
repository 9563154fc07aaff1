"""Bodies, and objects that bodies refer to by a token, so that a worker gets them once.

Rule: what is pickled while a `Recorder` is in force may refer to shared objects of its owner, and the recorder is told
which; elsewhere a handle is good for nothing but being copied in its own process.
"""

from __future__ import annotations

import pickle
import threading
import weakref
from itertools import count
from typing import Any, NamedTuple, Self

__all__ = ["LOADING", "SHARED", "WORKER", "Body", "Call", "Constant", "Far", "Recorder", "Shared", "WrongPool"]

WORKER = "elsewhere_far"  # the module that a worker itself is
LOADING = "elsewhere_packing"  # `loading`, as a worker knows it

_tokens = count(1)
_handles: weakref.WeakValueDictionary[int, Shared] = weakref.WeakValueDictionary()
_local = threading.local()


class Body(NamedTuple):
    """What travels instead of a function, a call's arguments or a shared object. Equal if their bytes are.

    Attributes:
        data: its pickle, for a worker of the caller's minor version of Python.
        source: the same for any Python from 3.8 on; None if there is no such thing.
        refusal: why there is none: the end of a sentence.
        constants: what it refers to; a worker is sent their bodies before it.
    """

    data: bytes
    source: bytes | None
    refusal: str
    constants: tuple[Constant, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and self.data == other.data and self.source == other.source

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.data)


class Constant:
    """What is sent to a worker once: it lives as long as its handle, or a body that refers to it.

    Attributes:
        token: its number, in this process.
        body: it.
        owner: the `Packer` that made it.
    """

    __slots__ = ("__weakref__", "body", "owner", "token")

    def __init__(self, owner: object, body: Body) -> None:
        self.owner = owner
        self.body = body
        self.token = next(_tokens)

    @property
    def size(self) -> int:
        """Bytes that it takes here."""
        data, source = self.body.data, self.body.source
        return len(data) + (len(source) if source is not None and source is not data else 0)


class Shared:
    """The handle that `Pool.share` gives: pass it, and the function receives the object."""

    __slots__ = ("__weakref__", "_constant", "_kind")

    def __init__(self, constant: Constant, kind: str) -> None:
        self._constant = constant
        self._kind = kind
        _handles[constant.token] = self

    def __reduce__(self) -> Any:
        recorder: Recorder | None = getattr(_local, "recorder", None)
        token = self._constant.token
        if recorder is None:
            return fetch, (token,)
        recorder.refer(self._constant, repr(self))
        return SHARED, (token,)

    def __repr__(self) -> str:
        return f"<shared {self._kind}>"


def fetch(token: int) -> Shared:
    """The handle of that token, in the process that has it.

    Raises:
        pickle.UnpicklingError: this is another process.
    """
    handle = _handles.get(token)
    if handle is None:
        raise pickle.UnpicklingError("an object shared by Pool.share can be had only in calls of that pool")
    return handle


class WrongPool(ValueError):  # by itself, so that it is told from what pickling raises
    """A shared object is passed to a pool that it was not shared with."""


class Recorder:
    """Notes which shared objects this thread's pickling refers to, while it is entered.

    Raises:
        ValueError: one of them was shared with another pool.
    """

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.constants: dict[Constant, None] = {}

    def __enter__(self) -> Self:
        self._before = getattr(_local, "recorder", None)
        _local.recorder = self
        return self

    def __exit__(self, *exc_info: object) -> None:
        _local.recorder = self._before

    def refer(self, constant: Constant, what: str) -> None:
        """The pickle that is being made refers to this."""
        if constant.owner is not self.owner:
            raise WrongPool(f"{what} was shared with another pool: share the object with this one, too")
        self.constants[constant] = None


class Call:
    """Pickled as the call of a function that only a worker has; pickle would look for it here."""

    __slots__ = ("_args", "_far")

    def __init__(self, function: Far, *args: Any) -> None:
        self._far = function
        self._args = args

    def __reduce__(self) -> Any:
        return self._far, self._args


class Far:
    """Pickled as a function that only a worker has."""

    def __init__(self, module: str, name: str) -> None:
        self._module = _MODULES[module]
        self._name = name

    def __reduce__(self) -> Any:
        return getattr, (self._module, self._name)

    def __call__(self, *args: Any) -> Any:
        raise RuntimeError(f"{self._name} is called in far workers only")


class _Module:
    """Pickled as the import of a module that only a worker has."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __reduce__(self) -> Any:
        return __import__, (self._name,)


_MODULES = {name: _Module(name) for name in (WORKER, LOADING)}
SHARED = Far(WORKER, "shared")

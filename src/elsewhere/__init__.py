"""Call a Python function elsewhere: in another process, on every core.

The public names, imported on first use: ``import elsewhere`` itself costs next to nothing and starts no thread.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from concurrent.futures import as_completed, wait

    from elsewhere import shared
    from elsewhere.call import Retry
    from elsewhere.errors import (
        CallCancelled,
        CallTimeout,
        ElsewhereError,
        InternalError,
        MayHaveRun,
        NeverStarted,
        PoolClosed,
        ProtocolError,
        RemoteError,
        TooLate,
        WorkerLost,
        WorkerStartError,
    )
    from elsewhere.pool.contexts import get_context
    from elsewhere.pool.pool import Pool
    from elsewhere.pool.shared import map, options  # noqa: A004 - the standard library's name, used as elsewhere.map
    from elsewhere.process.sync.locks import Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore
    from elsewhere.process.sync.pipes import Pipe
    from elsewhere.process.sync.queues import JoinableQueue, Queue, SimpleQueue
    from elsewhere.runtime.compat import MaybeEncodingError
    from elsewhere.runtime.future import Future
    from elsewhere.shared.managers import BaseManager, Manager, ManagerLost, SyncManager
    from elsewhere.shared.values import Array, RawArray, RawValue, Value

__version__ = "0.1.0"

_HOMES = {
    "concurrent.futures": ("as_completed", "wait"),
    "elsewhere.call": ("Retry",),
    "elsewhere.errors": (
        "CallCancelled", "CallTimeout", "ElsewhereError", "InternalError", "MayHaveRun", "NeverStarted", "PoolClosed",
        "ProtocolError", "RemoteError", "TooLate", "WorkerLost", "WorkerStartError",
    ),
    "elsewhere.pool.contexts": ("get_context",),
    "elsewhere.pool.pool": ("Pool",),
    "elsewhere.pool.shared": ("map", "options"),
    "elsewhere.process.sync.locks": (
        "Barrier", "BoundedSemaphore", "Condition", "Event", "Lock", "RLock", "Semaphore",
    ),
    "elsewhere.process.sync.pipes": ("Pipe",),
    "elsewhere.process.sync.queues": ("JoinableQueue", "Queue", "SimpleQueue"),
    "elsewhere.runtime.compat": ("MaybeEncodingError",),
    "elsewhere.runtime.future": ("Future",),
    "elsewhere.shared.managers": ("BaseManager", "Manager", "ManagerLost", "SyncManager"),
    "elsewhere.shared.values": ("Array", "RawArray", "RawValue", "Value"),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_ROOMS = frozenset({"shared"})  # doors that are used by their own name: elsewhere.shared.ndarray

__all__ = [
    "Array",
    "Barrier",
    "BaseManager",
    "BoundedSemaphore",
    "CallCancelled",
    "CallTimeout",
    "Condition",
    "ElsewhereError",
    "Event",
    "Future",
    "InternalError",
    "JoinableQueue",
    "Lock",
    "Manager",
    "ManagerLost",
    "MayHaveRun",
    "MaybeEncodingError",
    "NeverStarted",
    "Pipe",
    "Pool",
    "PoolClosed",
    "ProtocolError",
    "Queue",
    "RLock",
    "RawArray",
    "RawValue",
    "RemoteError",
    "Retry",
    "Semaphore",
    "SimpleQueue",
    "SyncManager",
    "TooLate",
    "Value",
    "WorkerLost",
    "WorkerStartError",
    "as_completed",
    "get_context",
    "map",
    "options",
    "shared",
    "wait",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _ROOMS:
        return import_module(f"elsewhere.{name}")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'elsewhere' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

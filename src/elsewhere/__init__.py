"""Call a Python function elsewhere: in another process, on every core.

The public names, imported on first use: ``import elsewhere`` itself costs next to nothing and starts no thread.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from concurrent.futures import as_completed, wait

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
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Barrier",
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
    "MayHaveRun",
    "MaybeEncodingError",
    "NeverStarted",
    "Pipe",
    "Pool",
    "PoolClosed",
    "ProtocolError",
    "Queue",
    "RLock",
    "RemoteError",
    "Retry",
    "Semaphore",
    "SimpleQueue",
    "TooLate",
    "WorkerLost",
    "WorkerStartError",
    "as_completed",
    "get_context",
    "map",
    "options",
    "wait",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'elsewhere' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

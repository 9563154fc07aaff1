"""Call a Python function elsewhere: in another process, on every core, behind an address, on other machines.

The public names, imported on first use: ``import elsewhere`` itself costs next to nothing and starts no thread.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from concurrent.futures import as_completed, wait
    from multiprocessing import (
        AuthenticationError,
        BufferTooShort,
        ProcessError,
        TimeoutError,  # noqa: A004 - the standard library's name, used as elsewhere.TimeoutError
        active_children,
        allow_connection_pickling,
        cpu_count,
        current_process,
        freeze_support,
        get_logger,
        log_to_stderr,
        parent_process,
        reducer,
        set_executable,
    )

    from elsewhere import fleet, net, rpc, shared
    from elsewhere.call import Retry
    from elsewhere.errors import (
        ArgumentError,
        CallCancelled,
        CallTimeout,
        ConnectError,
        ConnectionLost,
        ConnectTimeout,
        ElsewhereError,
        HostKeyError,
        InternalError,
        LimitExceeded,
        MayHaveRun,
        MessageTooLarge,
        MethodNotFound,
        NeverStarted,
        NotTouched,
        PoolClosed,
        ProtocolError,
        RemoteError,
        SocketTimeout,
        TooLate,
        Unauthorized,
        WorkerLost,
        WorkerStartError,
    )
    from elsewhere.fleet.fleet import Fleet
    from elsewhere.fleet.host import Host
    from elsewhere.fleet.results import CommandError, FleetError
    from elsewhere.pool.contexts import get_context
    from elsewhere.pool.pool import Pool
    from elsewhere.pool.shared import map, options  # noqa: A004 - the standard library's name, used as elsewhere.map
    from elsewhere.process.defaults import (
        get_all_start_methods,
        get_start_method,
        set_forkserver_preload,
        set_start_method,
    )
    from elsewhere.process.process import Process
    from elsewhere.process.single import call
    from elsewhere.process.sync.conditions import Barrier, Condition, Event
    from elsewhere.process.sync.locks import BoundedSemaphore, Lock, RLock, Semaphore
    from elsewhere.process.sync.pipes import Pipe
    from elsewhere.process.sync.queues import JoinableQueue, Queue, SimpleQueue
    from elsewhere.rpc.client import Client, connect
    from elsewhere.rpc.service import Service
    from elsewhere.runtime.compat import MaybeEncodingError
    from elsewhere.runtime.future import Future
    from elsewhere.shared.managers import BaseManager, Manager, ManagerLost, SyncManager
    from elsewhere.shared.values import Array, RawArray, RawValue, Value

__version__ = "0.1.0"

_HOMES = {
    "concurrent.futures": ("as_completed", "wait"),
    "elsewhere.call": ("Retry",),
    "elsewhere.errors": (
        "ArgumentError", "CallCancelled", "CallTimeout", "ConnectError", "ConnectTimeout", "ConnectionLost",
        "ElsewhereError", "HostKeyError", "InternalError", "LimitExceeded", "MayHaveRun", "MessageTooLarge",
        "MethodNotFound", "NeverStarted", "NotTouched", "PoolClosed", "ProtocolError", "RemoteError", "SocketTimeout",
        "TooLate", "Unauthorized", "WorkerLost", "WorkerStartError",
    ),
    "elsewhere.fleet.fleet": ("Fleet",),
    "elsewhere.fleet.host": ("Host",),
    "elsewhere.fleet.results": ("CommandError", "FleetError"),
    "elsewhere.pool.contexts": ("get_context",),
    "elsewhere.pool.pool": ("Pool",),
    "elsewhere.pool.shared": ("map", "options"),
    "elsewhere.process.defaults": (
        "get_all_start_methods", "get_start_method", "set_forkserver_preload", "set_start_method",
    ),
    "elsewhere.process.names": (
        "Array", "AuthenticationError", "Barrier", "BoundedSemaphore", "BufferTooShort", "Condition",
        "Event", "JoinableQueue", "Lock", "Manager", "Pipe", "ProcessError", "Queue", "RLock", "RawArray",
        "RawValue", "Semaphore", "SimpleQueue", "TimeoutError", "Value", "active_children",
        "allow_connection_pickling", "cpu_count", "current_process", "freeze_support", "get_logger",
        "log_to_stderr", "parent_process", "reducer", "set_executable",
    ),
    "elsewhere.process.process": ("Process",),
    "elsewhere.process.single": ("call",),
    "elsewhere.rpc.client": ("Client", "connect"),
    "elsewhere.rpc.service": ("Service",),
    "elsewhere.runtime.compat": ("MaybeEncodingError",),
    "elsewhere.runtime.future": ("Future",),
    "elsewhere.shared.managers": ("BaseManager", "ManagerLost", "SyncManager"),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_ROOMS = frozenset({"fleet", "net", "rpc", "shared"})  # doors that are used by their own name: elsewhere.shared.ndarray

__all__ = [
    "ArgumentError",
    "Array",
    "AuthenticationError",
    "Barrier",
    "BaseManager",
    "BoundedSemaphore",
    "BufferTooShort",
    "CallCancelled",
    "CallTimeout",
    "Client",
    "CommandError",
    "Condition",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionLost",
    "ElsewhereError",
    "Event",
    "Fleet",
    "FleetError",
    "Future",
    "Host",
    "HostKeyError",
    "InternalError",
    "JoinableQueue",
    "LimitExceeded",
    "Lock",
    "Manager",
    "ManagerLost",
    "MayHaveRun",
    "MaybeEncodingError",
    "MessageTooLarge",
    "MethodNotFound",
    "NeverStarted",
    "NotTouched",
    "Pipe",
    "Pool",
    "PoolClosed",
    "Process",
    "ProcessError",
    "ProtocolError",
    "Queue",
    "RLock",
    "RawArray",
    "RawValue",
    "RemoteError",
    "Retry",
    "Semaphore",
    "Service",
    "SimpleQueue",
    "SocketTimeout",
    "SyncManager",
    "TimeoutError",
    "TooLate",
    "Unauthorized",
    "Value",
    "WorkerLost",
    "WorkerStartError",
    "active_children",
    "allow_connection_pickling",
    "as_completed",
    "call",
    "connect",
    "cpu_count",
    "current_process",
    "fleet",
    "freeze_support",
    "get_all_start_methods",
    "get_context",
    "get_logger",
    "get_start_method",
    "log_to_stderr",
    "map",
    "net",
    "options",
    "parent_process",
    "reducer",
    "rpc",
    "set_executable",
    "set_forkserver_preload",
    "set_start_method",
    "shared",
    "wait",
]


class _Package(type(sys)):  # type: ignore[misc]  # it is ModuleType, without importing types
    """Our module: `elsewhere.call` is the function, also when the import system has just loaded call.py."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != "call" or not isinstance(value, type(sys)):
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[object, ...]:
        return __import__, (self.__name__,)  # picklers know modules by their very type


sys.modules[__name__].__class__ = _Package


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

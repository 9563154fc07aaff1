"""The plain names of multiprocessing: ``import elsewhere as multiprocessing`` holds.

Rule: one table, `HOMES`, says whose each name is. What is made by a context comes from `machinery`, a context of the
standard library whose processes are ours. Where one of those has a home in elsewhere instead, each context has it too,
but for `INNER`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from multiprocessing.context import BaseContext
from typing import Any

from elsewhere.process import defaults
from elsewhere.process.process import ForkProcess, ForkserverProcess, Process, SpawnProcess

__all__ = ["HOMES", "Machinery", "machinery"]

DEFAULTS = "elsewhere.process.defaults"
THEIRS = "multiprocessing"
CONTEXT = ""  # made by `machinery`

HOMES = {
    "get_all_start_methods": DEFAULTS,
    "get_start_method": DEFAULTS,
    "set_start_method": DEFAULTS,
    "set_forkserver_preload": DEFAULTS,
    "AuthenticationError": THEIRS,
    "BufferTooShort": THEIRS,
    "ProcessError": THEIRS,
    "TimeoutError": THEIRS,
    "active_children": THEIRS,
    "allow_connection_pickling": THEIRS,
    "cpu_count": THEIRS,
    "current_process": THEIRS,
    "freeze_support": THEIRS,
    "get_logger": THEIRS,
    "log_to_stderr": THEIRS,
    "parent_process": THEIRS,
    "reducer": THEIRS,
    "set_executable": THEIRS,
    "Array": CONTEXT,
    "Barrier": CONTEXT,
    "BoundedSemaphore": CONTEXT,
    "Condition": CONTEXT,
    "Event": CONTEXT,
    "JoinableQueue": CONTEXT,
    "Lock": CONTEXT,
    "Manager": CONTEXT,
    "Pipe": CONTEXT,
    "Queue": CONTEXT,
    "RLock": CONTEXT,
    "RawArray": CONTEXT,
    "RawValue": CONTEXT,
    "Semaphore": CONTEXT,
    "SimpleQueue": CONTEXT,
    "Value": CONTEXT,
}

if sys.platform == "linux":  # where ours are
    HOMES |= dict.fromkeys(("BoundedSemaphore", "Lock", "RLock", "Semaphore"), "elsewhere.process.sync.locks")
    HOMES |= dict.fromkeys(("Barrier", "Condition", "Event"), "elsewhere.process.sync.conditions")
    HOMES |= dict.fromkeys(("JoinableQueue", "Queue", "SimpleQueue"), "elsewhere.process.sync.queues")
    HOMES |= dict.fromkeys(("Array", "RawArray", "RawValue", "Value"), "elsewhere.shared.values")
    HOMES |= {"Pipe": "elsewhere.process.sync.pipes", "Manager": "elsewhere.shared.managers"}

# What the standard library's executor and Pool make with a context that they are given, and whose descriptor they wait
# for.
INNER = frozenset({"SimpleQueue"})

_CLASSES = {None: Process, "forkserver": ForkserverProcess, "spawn": SpawnProcess, "fork": ForkProcess}


class Machinery(BaseContext):
    """A context of the standard library, with our processes.

    Args:
        method: how its processes are started; None for what is the default when something is made.
    """

    def __init__(self, method: str | None) -> None:
        self._name = method
        self.Process = _CLASSES[method]

    def __getattribute__(self, name: str) -> Any:
        home = CONTEXT if name in INNER else HOMES.get(name, CONTEXT)
        if home.startswith("elsewhere.") and home != DEFAULTS:
            return getattr(import_module(home), name)
        return super().__getattribute__(name)

    def get_context(self, method: str | None = None) -> Any:
        """The context of that start method; without one its own, or that of the default."""
        return machinery(defaults.check(method or self._name or defaults.current()))

    def get_start_method(self, allow_none: bool = False) -> Any:
        """Its start method's name."""
        return self._name or defaults.get_start_method(allow_none)

    def set_start_method(self, method: str | None, force: bool = False) -> None:
        """The default's can be set, another's cannot."""
        if self._name is not None:
            raise ValueError("cannot set start method of concrete context")
        defaults.set_start_method(method, force)


_machinery: dict[str | None, Machinery] = {}


def machinery(method: str | None = None) -> Machinery:
    """The one context for this start method; None for the default, whatever it is at the time."""
    if method not in _machinery:
        _machinery.setdefault(method, Machinery(method))
    return _machinery[method]


def __getattr__(name: str) -> Any:
    home = HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home) if home else machinery(), name)

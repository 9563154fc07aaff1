"""The places a call can go to, each a driver around the same scheduler.

Rule: a place is picked here and nowhere else: by name, or by asking an object that is a place of its own for its
driver. Places in rooms above this one (hosts, clusters) come in that way.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from elsewhere.runtime.driving.driver import Driver
from elsewhere.sansio.scheduling.credits import BUDGET
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["PLACES", "Elsewhere", "Wanted", "make_driver"]

PLACES = ("processes", "threads", "loop", "inline")
CLUSTER = "elsewhere.cluster"  # a room above: it is asked for by name, when it is wanted
SCHEMES = ("dask", "dask+tls")
SLOTS = 100  # coroutines of a loop at once
NESTED = 64  # inline calls inside inline calls


class Wanted(NamedTuple):
    """What a user wants of a pool, checked.

    Attributes:
        size: how many workers; None for as many as the place thinks right.
        name: for threads and messages.
        initializer: called with `initargs` in each worker before its first call.
        lifetime: calls after which a worker is replaced.
        context: how processes start.
        grace: seconds between interrupting a call and killing its worker.
        preload: modules that the fork server imports.
        max_memory: bytes above which a worker process is replaced.
    """

    size: int | None
    name: str
    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]
    lifetime: int | None
    context: Any
    grace: float
    preload: tuple[str, ...]
    max_memory: int | None = None

    def check(self) -> None:
        """Raises TypeError or ValueError for what is wrong wherever the calls go."""
        size, lifetime = self.size, self.lifetime
        if size is not None and (not isinstance(size, int) or isinstance(size, bool)):
            raise TypeError(f"processes is a whole number, not {size!r}")
        if size is not None and size < 1:
            raise ValueError(f"Number of processes must be at least 1, not {size}")
        if lifetime is not None and (not isinstance(lifetime, int) or lifetime <= 0):
            raise ValueError(f"maxtasksperchild must be a positive int or None, not {lifetime!r}")
        if self.initializer is not None and not callable(self.initializer):
            raise TypeError(f"initializer must be a callable, not {self.initializer!r}")
        if not self.grace >= 0:
            raise ValueError(f"grace is a number of seconds from 0 up, not {self.grace!r}")

    def refuse_what_is_local(self, where: str) -> None:
        """Raises ValueError for options of processes that this machine starts itself."""
        given = {"context": self.context is not None, "preload": bool(self.preload)}
        for name, is_given in given.items():
            if is_given:
                raise ValueError(f'{name} is for worker processes of this machine: use where="processes", not {where}')


@runtime_checkable
class Elsewhere(Protocol):
    """A place of its own, such as a `Fleet`: what `Pool(where=...)` takes besides names."""

    def __elsewhere_place__(self, wanted: Wanted) -> Driver:
        """The driver of a pool's calls there."""
        ...


def make_driver(where: Any, wanted: Wanted) -> Driver:
    """The driver for a place; checks everything a user can get wrong."""
    place = where if isinstance(where, str) and where in PLACES else _place(where)
    wanted.check()
    _check_max_memory(wanted.max_memory, where)
    from elsewhere.pool.contexts import start_method

    method = start_method(wanted.context)
    if not isinstance(place, str):
        return place.__elsewhere_place__(wanted)
    if where == "processes" and method != "fork" and hasattr(os, "fork"):
        from elsewhere.runtime.launch import servers

        servers.begin(method, wanted.preload)  # it starts while the rest is imported here
    from elsewhere.runtime.cpus import available

    size, name, lifetime, grace = wanted.size, wanted.name, wanted.lifetime, wanted.grace
    start: Any = {"initializer": wanted.initializer, "initargs": wanted.initargs}
    if where == "processes":
        from elsewhere.pool.places.processes import Processes

        scheduler = Scheduler(size or available(), lifetime=lifetime, grace=grace, budget=BUDGET)
        start |= {"method": method, "preload": wanted.preload, "max_memory": wanted.max_memory}
        return Processes(scheduler, name, **start)
    if where == "threads":
        from elsewhere.pool.places.threads import Threads

        size = size or min(32, available() + 4)
        return Threads(Scheduler(size, lifetime=lifetime, grace=grace, budget=0), name, **start)
    if where == "loop":
        from elsewhere.pool.places.loop import Loop

        return Loop(Scheduler(size or SLOTS, grace=grace, budget=0), name, **start)
    from elsewhere.pool.places.inline import Inline

    return Inline(Scheduler(NESTED, grace=grace, budget=0), name, **start)


def _place(where: Any) -> Elsewhere:
    """What is no name of ours: an object that is a place, or what the room of clusters knows.

    Raises:
        ValueError: it is no place.
    """
    if isinstance(where, Elsewhere):
        return where
    if (isinstance(where, str) and where.partition("://")[0] in SCHEMES) or _is_of_dask(where):
        found: Elsewhere = importlib.import_module(CLUSTER).place(where)
        return found
    names = ", ".join(map(repr, PLACES))
    raise ValueError(f'where is one of {names}, "dask", "dask://host:8786", a Fleet or a Host, not {where!r}')


def _is_of_dask(where: object) -> bool:
    """Is it a client or a cluster of Dask's? Those of other packages have a base of distributed's."""
    return any(base.__module__.partition(".")[0] == "distributed" for base in type(where).__mro__)


def _check_max_memory(limit: object, where: object) -> None:
    if limit is None:
        return
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise TypeError(f"max_memory is a number of bytes, a whole one, not {limit!r}")
    if limit < 1:
        raise ValueError(f"max_memory is a number of bytes from 1 up, not {limit!r}")
    if where != "processes":
        raise ValueError(
            f'max_memory is for worker processes, which can be replaced: use where="processes", not {where!r}'
        )

"""The places a call can go to, each a driver around the same scheduler.

Rule: a place is picked by name, here and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from elsewhere.runtime.driving.driver import Driver
from elsewhere.sansio.scheduling.credits import BUDGET
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["PLACES", "make_driver"]

PLACES = ("processes", "threads", "loop", "inline")
SLOTS = 100  # coroutines of a loop at once
NESTED = 64  # inline calls inside inline calls


def make_driver(
    where: str,
    size: int | None,
    name: str,
    *,
    initializer: Callable[..., object] | None,
    initargs: tuple[Any, ...],
    lifetime: int | None,
    context: Any,
    grace: float,
    preload: tuple[str, ...],
    max_memory: int | None = None,
) -> tuple[int, Driver]:
    """The number of workers and the driver for a place; checks everything a user can get wrong."""
    if where not in PLACES:
        raise ValueError(f"where is one of {', '.join(map(repr, PLACES))}, not {where!r}")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool)):
        raise TypeError(f"processes is a whole number, not {size!r}")
    if size is not None and size < 1:
        raise ValueError(f"Number of processes must be at least 1, not {size}")
    if lifetime is not None and (not isinstance(lifetime, int) or lifetime <= 0):
        raise ValueError(f"maxtasksperchild must be a positive int or None, not {lifetime!r}")
    if initializer is not None and not callable(initializer):
        raise TypeError(f"initializer must be a callable, not {initializer!r}")
    if not grace >= 0:
        raise ValueError(f"grace is a number of seconds from 0 up, not {grace!r}")
    _check_max_memory(max_memory, where)
    from elsewhere.pool.contexts import start_method

    method = start_method(context)
    if where == "processes" and method != "fork" and hasattr(os, "fork"):
        from elsewhere.runtime.launch import servers

        servers.begin(method, preload)  # it starts while the rest is imported here
    from elsewhere.runtime.cpus import available

    start: Any = {"initializer": initializer, "initargs": initargs}
    if where == "processes":
        from elsewhere.pool.places.processes import Processes

        size = size or available()
        scheduler = Scheduler(size, lifetime=lifetime, grace=grace, budget=BUDGET)
        start |= {"method": method, "preload": preload, "max_memory": max_memory}
        return size, Processes(scheduler, name, **start)
    if where == "threads":
        from elsewhere.pool.places.threads import Threads

        size = size or min(32, available() + 4)
        return size, Threads(Scheduler(size, lifetime=lifetime, grace=grace, budget=0), name, **start)
    if where == "loop":
        from elsewhere.pool.places.loop import Loop

        size = size or SLOTS
        return size, Loop(Scheduler(size, grace=grace, budget=0), name, **start)
    from elsewhere.pool.places.inline import Inline

    return 1, Inline(Scheduler(NESTED, grace=grace, budget=0), name, **start)


def _check_max_memory(limit: object, where: str) -> None:
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

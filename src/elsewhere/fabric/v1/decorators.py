"""What is said of a task in front of its ``def``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from elsewhere.fabric.v1.context_managers import settings
from elsewhere.fabric.v1.tasks.task import Task, WrappedCallableTask

__all__ = ["hosts", "parallel", "roles", "runs_once", "serial", "task", "with_settings"]


def task(*args: Any, **kwargs: Any) -> Any:
    """This function is a task, and only those that say so are.

    Args:
        args: the function; or what the task's class takes.
        kwargs: ``name=``, ``alias=``, ``aliases=``, ``default=``, ``task_class=``, or what that class takes.
    """
    plain = bool(args) and not kwargs
    made = kwargs.pop("task_class", WrappedCallableTask)
    if plain:
        return made(args[0])
    return lambda func: made(func, *args, **kwargs)


def _like(original: Any, new: Any) -> Any:
    """What decorates a task is one."""
    return WrappedCallableTask(new) if isinstance(original, Task) else new


def _listing(attribute: str, values: tuple[Any, ...]) -> Callable[[Any], Any]:
    def decorate(func: Any) -> Any:
        @wraps(func)
        def inner(*args: Any, **kwargs: Any) -> Any:
            return func(*args, **kwargs)

        lone = len(values) == 1 and not isinstance(values[0], str)
        setattr(inner, attribute, list(values[0] if lone else values))
        return _like(func, inner)

    return decorate


def hosts(*host_list: Any) -> Any:
    """Where it runs, unless the command line says otherwise; several hosts, or one list."""
    return _listing("hosts", host_list)


def roles(*role_list: Any) -> Any:
    """... as names of ``env.roledefs``."""
    return _listing("roles", role_list)


def runs_once(func: Any) -> Any:
    """It runs at the first call only; later ones give the same value."""

    @wraps(func)
    def inner(*args: Any, **kwargs: Any) -> Any:
        kept = vars(inner)  # where the original has it, too, and looks for it
        if "return_value" not in kept:
            kept["return_value"] = func(*args, **kwargs)
        return kept["return_value"]

    return serial(_like(func, inner))


def serial(func: Any) -> Any:
    """One host after the other, whatever ``-P`` says."""
    if not getattr(func, "parallel", False):
        func.serial = True
    return _like(func, func)


def parallel(pool_size: Any = None) -> Any:
    """Its hosts side by side, so many at once; all of them by default."""
    bare = callable(pool_size)

    def decorate(func: Any) -> Any:
        @wraps(func)
        def inner(*args: Any, **kwargs: Any) -> Any:
            return func(*args, **kwargs)

        vars(inner).update(parallel=True, serial=False, pool_size=None if bare else pool_size)
        return _like(func, inner)

    return decorate(pool_size) if bare else decorate


def with_settings(*arg_settings: Any, **kw_settings: Any) -> Any:
    """It runs within `settings` of these."""

    def decorate(func: Any) -> Any:
        @wraps(func)
        def inner(*args: Any, **kwargs: Any) -> Any:
            with settings(*arg_settings, **kw_settings):
                return func(*args, **kwargs)

        return _like(func, inner)

    return decorate

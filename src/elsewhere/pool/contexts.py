"""Start methods: what `context=` and `get_context` mean here.

Rule: one table, tested.

==============  ======================================  ============================  ================================
method          a worker is                             it sees the caller's globals  ``__main__``
==============  ======================================  ============================  ================================
"forkserver"    forked from a fork server               those that its calls use,     never run again; what calls use
(default)       without threads                         by value, at each call        of it travels by value
"spawn"         a fresh interpreter                     the same                      the same
"fork"          forked from a copy of the caller that   all, as they were when the    the caller's, as it was when the
                is made when the pool is made           pool was made                 pool was made
==============  ======================================  ============================  ================================

In all three the fork server is the workers' parent: it reports how they ended, and they end with it.
A context object of multiprocessing means its start method.
"""

from __future__ import annotations

from typing import Any, Literal

from elsewhere.process import defaults

__all__ = ["METHODS", "Context", "get_context", "start_method"]

Method = Literal["forkserver", "spawn", "fork"]
METHODS: tuple[Method, ...] = ("forkserver", "spawn", "fork")


def start_method(context: Any) -> Method:
    """The start method that a ``context=`` argument names.

    Raises:
        ValueError: a name that is none.
        TypeError: something that is neither a name nor a context.
    """
    if context is None:
        context = defaults.current()
    if not isinstance(context, str):
        ask = getattr(context, "get_start_method", None)
        if ask is None:
            raise TypeError(f"context is a start method's name or a context of multiprocessing, not {context!r}")
        context = ask()
    for method in METHODS:
        if context == method:
            return method
    raise ValueError(f"cannot find context for {context!r}: it is one of {', '.join(map(repr, METHODS))}")


class Context:
    """Makes pools and processes that start in one way, and all that multiprocessing's context of that name makes."""

    def __init__(self, method: str) -> None:
        self._method = method

    def get_start_method(self, allow_none: bool = False) -> str:
        """Its name."""
        return self._method

    def get_context(self, method: str | None = None) -> Context:
        """The context of that start method; without one, itself."""
        return self if method is None else get_context(method)

    def Pool(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - multiprocessing's name
        """A `Pool` whose workers start this way."""
        from elsewhere.pool.pool import Pool

        return Pool(*args, **{"context": self._method, **kwargs})

    def __getattr__(self, name: str) -> Any:
        from elsewhere.process.names import machinery

        return getattr(machinery(self._method), name)

    def __repr__(self) -> str:
        return f"<Context {self._method!r}>"

    def __reduce__(self) -> Any:
        return get_context, (self._method,)


class ForkserverContext(Context):
    """Processes are forked from a fork server."""


class SpawnContext(Context):
    """Processes are fresh interpreters."""


class ForkContext(Context):
    """Processes are copies of this one."""


_contexts: dict[Method, Context] = {
    "forkserver": ForkserverContext("forkserver"),
    "spawn": SpawnContext("spawn"),
    "fork": ForkContext("fork"),
}


def get_context(method: str | None = None) -> Context:
    """What makes pools and processes that start in one way; it has all names of a context of multiprocessing.

    Args:
        method: ``"forkserver"``: workers are forked from a fork server without threads. ``"spawn"``: each is a fresh
            interpreter. ``"fork"``: they are copies of this process. None for the first, unless `set_start_method` has
            said otherwise.

    Raises:
        ValueError: there is no such method.
    """
    return _contexts[start_method(method)]

"""What a handler takes, told from its signature before anything is served."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Handler", "reply_of"]


class Handler(NamedTuple):
    """A user's function, and how it is called.

    Attributes:
        function: it.
        coroutine: a coroutine function?
        with_sender: of a datagram's: does it take the sender, too?
    """

    function: Callable[..., Any]
    coroutine: bool
    with_sender: bool = False

    @classmethod
    def of(cls, function: Callable[..., Any], *, datagrams: bool, where: str) -> Handler:
        """Checked; `where` is that of `Server`.

        Raises:
            TypeError: it cannot be called so, or cannot run there.
            ValueError: there is no such place.
        """
        if where not in {"threads", "loop"}:
            raise ValueError(f"where is 'threads' or 'loop', not {where!r}")
        if not callable(function):
            raise TypeError(f"a handler is a function, not {function!r}")
        coroutine = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - not whether it can be called, but what calling it does
        )
        if datagrams:
            return cls(function, coroutine, _takes_sender(function))
        if where == "loop" and not coroutine:
            raise TypeError(
                f"{_name(function)} is no coroutine function: on the loop it would hold up all other connections; "
                "where='threads' gives it a connection and a thread"
            )
        if coroutine and not _takes(function, 2):
            raise TypeError(f"{_name(function)} is called as handler(reader, writer), and does not take that")
        if not coroutine and not _takes(function, 1):
            raise TypeError(f"{_name(function)} is called as handler(connection), and does not take that")
        return cls(function, coroutine)

    @property
    def name(self) -> str:
        return _name(self.function)


def reply_of(answer: Any, name: str) -> bytes | bytearray | memoryview | None:
    """A datagram handler's answer, checked; None: no reply."""
    if answer is None or isinstance(answer, bytes | bytearray | memoryview):
        return answer
    raise TypeError(f"{name} returned {type(answer).__name__}: the reply to a datagram is bytes, or None for none")


def _takes_sender(function: Callable[..., Any]) -> bool:
    """(data, sender), or (data)? What has a default is not asked for."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in C, and silent about it
        return False
    positional = [one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    needed = sum(one.default is one.empty for one in positional)
    if needed < 2 and any(one.kind is one.VAR_POSITIONAL for one in parameters):
        needed = 2
    needed = max(needed, min(1, len(positional)))
    if needed not in {1, 2} or not _takes(function, needed):
        raise TypeError(
            f"{_name(function)} is called as handler(data, sender) or handler(data), and does not take that"
        )
    return needed == 2


def _takes(function: Callable[..., Any], arguments: int) -> bool:
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:
        return True  # written in C, and silent about it
    return True


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or repr(function)

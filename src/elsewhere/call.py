"""What a call is told apart from its function and arguments: how long it may run, how often it is repeated.

A call itself has no object: the noun of `docs/design.md` is a slot in the lists of its job, because an object for
each call would cost more than the whole way there and back. What its calls share is one `Options`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from reprlib import Repr
from typing import Any, NamedTuple, Self

__all__ = ["UNSET", "Options", "Retry", "describe_call", "function_name", "seconds_of"]

UNSET: Any = ...  # an option that is left out, and so stays as it is
LONGEST_BACKOFF = 60.0  # seconds; a doubling delay grows past any patience otherwise


class _Retry(NamedTuple):
    retries: int
    on: tuple[type[BaseException], ...]
    backoff: float | Callable[[int], float]


class Retry(_Retry):  # a tuple, because importing dataclasses would cost a worker a third of its start
    """How often and when a failed call is run again.

    Args:
        retries: repeats after the first try; 3 means at most four runs.
        on: the exception types that are worth a repeat. The function's own exceptions, `WorkerLost` and
            `CallTimeout` all count; a cancelled call is never repeated.
        backoff: seconds before the first repeat, doubled for each further one up to 60, or a function of the
            repeat's number (1, 2, ...) that gives seconds.

    Raises:
        ValueError: `retries` or `backoff` is negative or not a number.
        TypeError: `on` holds something that is no exception type.
    """

    __slots__ = ()

    def __new__(
        cls,
        retries: int,
        on: type[BaseException] | tuple[type[BaseException], ...] = (Exception,),
        backoff: float | Callable[[int], float] = 0.0,
    ) -> Self:
        if not isinstance(retries, int) or isinstance(retries, bool):
            raise TypeError(f"retries is a whole number, not {retries!r}")
        if retries < 0:
            raise ValueError(f"retries is 0 or more, not {retries}")
        on = on if isinstance(on, tuple) else (on,)
        for kind in on:
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise TypeError(f"Retry(on=...) takes exception types, not {kind!r}")
        if not callable(backoff) and not 0 <= backoff < math.inf:
            raise ValueError(f"backoff is a number of seconds from 0 up, not {backoff!r}")
        return super().__new__(cls, retries, on, backoff)

    def wants(self, error: BaseException, failures: int) -> bool:
        """Is a call that has now failed `failures` times, with `error` the last time, to be run again?"""
        return failures <= self.retries and isinstance(error, self.on)

    def delay(self, repeat: int) -> float:
        """Seconds to wait before repeat number `repeat`, counted from 1."""
        if callable(self.backoff):
            return max(0.0, float(self.backoff(repeat)))
        return min(self.backoff * 2.0 ** min(repeat - 1, 60), LONGEST_BACKOFF)

    @classmethod
    def of(cls, value: int | Retry | None) -> Retry | None:
        """What a ``retry=`` means: 3 is ``Retry(retries=3)``, None and 0 are no repeats."""
        if value is None or isinstance(value, Retry):
            return value
        return cls(retries=value) if value != 0 else None


def seconds_of(timeout: float | None) -> float | None:
    """A time limit from what a user gave; None for none, which infinity is, too.

    Raises:
        TypeError: it is no number.
        ValueError: it is not more than 0.
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"timeout is a number of seconds, not {timeout!r}")
    if not timeout > 0:
        raise ValueError(f"timeout is more than 0 seconds, not {timeout!r}")
    return None if timeout == math.inf else float(timeout)


class Options(NamedTuple):
    """What ``options(timeout=, retry=, name=)`` sets for the calls made through its view.

    Args:
        timeout: seconds a call may run, from its start in the worker; None for no limit.
        retry: when and how often a failed call is repeated; None for never.
        name: what the call is called in notes, logs and statistics instead of its function's name.
    """

    timeout: float | None = None
    retry: Retry | None = None
    name: str | None = None

    @classmethod
    def of(cls, timeout: float | None = None, retry: int | Retry | None = None, name: str | None = None) -> Options:
        """Checked options from what a user gave."""
        return cls(seconds_of(timeout), Retry.of(retry), name)

    def but(
        self, timeout: float | None = UNSET, retry: int | Retry | None = UNSET, name: str | None = UNSET
    ) -> Options:
        """These options with some replaced; `UNSET` leaves one as it is."""
        told: dict[str, Any] = {"timeout": timeout, "retry": retry, "name": name}
        given = {key: value for key, value in told.items() if value is not UNSET}
        if not given:
            return self
        checked = Options.of(**given)
        return self._replace(**{key: getattr(checked, key) for key in given})


_shortener = Repr()
_shortener.maxstring = _shortener.maxother = 60
_shortener.maxlevel = 3


def function_name(fn: Any) -> str:
    """A name a reader recognises: ``mymodule.score``, ``partial(score)``, ``<lambda>``."""
    inner = getattr(fn, "func", None)
    if inner is not None and not hasattr(fn, "__qualname__"):
        return f"partial({function_name(inner)})"
    name = getattr(fn, "__qualname__", None) or type(fn).__qualname__
    module = getattr(fn, "__module__", None)
    return f"{module}.{name}" if module not in (None, "__main__", "builtins") else str(name)


def describe_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> str:
    """The call as a reader would write it, long arguments shortened; never raises."""
    try:
        parts = [_shortener.repr(value) for value in args]
        parts += [f"{key}={_shortener.repr(value)}" for key, value in (kwargs or {}).items()]
    except Exception:  # noqa: BLE001 - a repr may raise anything
        parts = ["..."]  # an argument whose repr fails must not hide the failure that is being described
    return f"{name}({', '.join(parts)})"

"""What the calling methods of a pool were given, checked: in the caller's thread, before anything else is done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from elsewhere.call import Options, function_name

if TYPE_CHECKING:
    from elsewhere.progress import Progress

__all__ = ["bar_of", "check_callable", "chunk_of", "inputs_of", "tell_how_far", "told_apart"]


def told_apart(
    more: tuple[Any, ...], chunksize: int | None, callback: Any = None, error_callback: Any = None
) -> tuple[tuple[Any, ...], int | None, Any, Any]:
    """Tell multiprocessing's positional chunksize (and callbacks) from further iterables."""
    if not more or not (more[0] is None or isinstance(more[0], int)):
        return more, chunksize, callback, error_callback
    given = [*more, None, None][:3]
    if len(more) > 3:
        raise TypeError(f"a chunksize and at most two callbacks may follow the iterable, not {len(more)} arguments")
    return (), given[0] if chunksize is None else chunksize, callback or given[1], error_callback or given[2]


def chunk_of(chunksize: int | None) -> int | None:
    """A chunksize, or None where the scheduler is to measure: 1 is no chunk."""
    if chunksize is None:
        return None
    if not isinstance(chunksize, int):
        raise TypeError(f"chunksize is a whole number, not {chunksize!r}")
    if chunksize < 1:
        raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")
    return chunksize if chunksize > 1 else None


def inputs_of(iterable: Iterable[Any], more: tuple[Iterable[Any], ...]) -> list[Any] | range:
    """All inputs of a map; what they raise has a note that says how far they came."""
    if type(iterable) is range and not more:
        return iterable  # a range travels as one
    source: Iterable[Any]
    if more:
        source = zip(iterable, *more, strict=False)
    else:  # what is no iterable raises here, where no input was read
        source = iterable if type(iterable) in (list, tuple) else iter(iterable)
    values: list[Any] = []
    try:
        values.extend(source)  # keeps what came before an error
    except Exception as error:
        tell_how_far(error, len(values), "no call was made, as a map reads all inputs before the first")
        raise
    return values


def tell_how_far(error: BaseException, count: int, calls: str) -> None:
    """Give what the inputs raised a note that says how many there were before it, and what that means for the calls."""
    with contextlib.suppress(Exception):  # an exception class may forbid it; the note is a courtesy
        error.add_note(f"raised by the inputs after {count} of them: {calls}")


def check_callable(fn: Any) -> None:
    """Raise TypeError if it is none."""
    if not callable(fn):
        raise TypeError(f"{fn!r} is not callable: the first argument is the function to call")


def bar_of(progress: bool | int | str, total: int | None, options: Options, fn: Any) -> Progress | None:
    """The bar that ``progress=`` asks for.

    Args:
        progress: False for none; True; how many calls there will be; or what stands before it.
        total: how many there are, if that is known.
        options: of the calls, which may have a name.
        fn: that is called.
    """
    if progress is False or progress is None:
        return None
    if not isinstance(progress, int | str):
        raise TypeError(f"progress is True, False, a label or a number of calls, not {progress!r}")
    from elsewhere.progress import Progress  # loaded only where a bar is asked for

    label = progress if isinstance(progress, str) else options.name or function_name(fn)
    return Progress(total if progress is True or isinstance(progress, str) else progress, label)

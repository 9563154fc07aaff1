"""What a user is told: which part of an argument cannot be pickled and what to do, and that a function is large.

The law of the file: it runs only when something is wrong, so it may be slow (it packs parts again to find the culprit),
but it must not raise, and it must end: the search looks at no more than `MOST_PARTS` parts.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

from elsewhere.call import function_name

from .packer import LargeFunctionWarning

if TYPE_CHECKING:
    from .book import Book
    from .packer import Definition, Kind

__all__ = ["annotate", "function_called", "warn_if_large"]

LARGE = 1_000_000  # bytes; from here on shipping is felt on a slow start and in every worker's memory
MOST_PARTS = 500
DEEPEST = 8


_warned: set[str] = set()

IN_INITIALIZER = "make it in the pool's `initializer`"
# Names of types from the general to the special are no use here: the first that fits any class of the object wins.
CURES = {
    "queue.Queue": "use an elsewhere.Queue, or return results",
    "_queue.SimpleQueue": "use an elsewhere.SimpleQueue, or return results",
    "asyncio.queues.Queue": "use an elsewhere.Queue, or return results",
    "_thread.lock": f"{IN_INITIALIZER}, or use an elsewhere.Lock",
    "_thread.RLock": f"{IN_INITIALIZER}, or use an elsewhere.RLock",
    "threading.Condition": f"{IN_INITIALIZER}, or use an elsewhere.Condition",
    "threading.Event": f"{IN_INITIALIZER}, or use an elsewhere.Event",
    "threading.Semaphore": f"{IN_INITIALIZER}, or use an elsewhere.Semaphore",
    "multiprocessing.synchronize.SemLock": f"pass it through `initializer` and `initargs`, or {IN_INITIALIZER}",
    "multiprocessing.queues.Queue": "pass it through `initializer` and `initargs`, or use an elsewhere.Queue",
    "_io._IOBase": "pass its path and open it in the function",
    "builtins.generator": "pass a list, or iterate it with imap",
    "builtins.async_generator": "pass a list",
    "builtins.coroutine": "pass the coroutine function and its arguments; it is awaited in the worker",
    "logging.Handler": f"{IN_INITIALIZER}, or get the logger by its name in the function",
    "logging.Logger": f"{IN_INITIALIZER}, or get the logger by its name in the function",
    "_socket.socket": IN_INITIALIZER,
    "sqlite3.Connection": IN_INITIALIZER,
    "sqlite3.Cursor": IN_INITIALIZER,
    "builtins.module": "import it in the function",
    "builtins.frame": "pass what you need of it",
    "builtins.traceback": "pass traceback.format_exception(...)",
}
CONNECTION_LIKE = ("connection", "cursor", "session", "engine", "client", "channel")


def cure_of(obj: Any) -> str | None:
    """What to do about an object of a kind known not to travel."""
    for cls in type(obj).__mro__:
        cure = CURES.get(f"{cls.__module__}.{cls.__qualname__}")
        if cure is not None:
            return cure
    if type(obj).__name__.lower().endswith(CONNECTION_LIKE):
        return IN_INITIALIZER
    return None


def annotate(
    error: BaseException, value: Any, where: Callable[[], str], kind: Kind, book: Book, *, local: bool = True
) -> None:
    """Add the note that names the culprit and the cure; with `local`, one that works between processes of a machine."""
    try:
        error.add_note(_note(value, where, kind, book, local))
    except Exception:  # noqa: BLE001 - explaining an error must not replace it
        error.add_note(f"{where()} cannot be pickled")


def _note(value: Any, where: Callable[[], str], kind: Kind, book: Book, local: bool) -> str:
    start, process = "", kind == "process"  # which has no initializer
    if book.failed is not None and not book.failed.startswith("class:"):
        value, start, kind = book.objects[book.failed], f"the global {book.failed!r} of __main__", "value"
    path, culprit = _Search(book).culprit(start, value, kind)
    cure = cure_of(culprit) or f"{IN_INITIALIZER}, or pass what it is made from"
    if process:
        cure = cure.removeprefix("pass it through `initializer` and `initargs`, or ")
        cure = cure.replace(IN_INITIALIZER, "make it in the process")
    if not local:
        ways = cure.split(", or ")
        cure = ", or ".join(way for way in ways if " elsewhere." not in way and "`initargs`" not in way) or ways[-1]
    what = f"{type(culprit).__module__}.{type(culprit).__qualname__}".removeprefix("builtins.")
    return f"{where()} cannot be pickled: {f'{path} is' if path else 'it is'} a {what}; {cure}"


class _Search:
    """Goes down into the first part that cannot be packed for itself, to a part of a known kind or with none such."""

    def __init__(self, book: Book) -> None:
        self.left = MOST_PARTS
        self.book = book

    def culprit(self, path: str, value: Any, kind: Kind) -> tuple[str, Any]:
        parts = _arguments(value, kind)
        for _ in range(DEEPEST):
            if cure_of(value) is not None:
                break
            found = next(((name, part) for name, part in parts if self._fails(part)), None)
            if found is None:
                break
            path, value = path + found[0] if path else found[0].lstrip(", "), found[1]
            parts = _parts(value)
        return path, value

    def _fails(self, part: Any) -> bool:
        self.left -= 1
        if self.left < 0:
            return False
        try:
            self.book.fresh().pack(part, share=False)
        except Exception:  # noqa: BLE001 - pickling runs the user's code, which may raise anything
            return True
        return False


def _arguments(value: Any, kind: Kind) -> Iterator[tuple[str, Any]]:
    if kind == "value":
        yield from _parts(value)
        return
    if kind == "process":  # whose attributes have multiprocessing's names
        args, kwargs = value._args, value._kwargs
    else:
        args, kwargs = (value, {}) if kind == "args" else value
    yield from ((f"argument {number}", part) for number, part in enumerate(args, 1))
    yield from ((f"argument {name}=", part) for name, part in kwargs.items())
    if kind == "process":
        yield "its target", value._target
        yield from ((f"its attribute {name!r}", part) for name, part in vars(value).items())


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds, with the words that follow the object's own name."""
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{index}]", part) for index, part in enumerate(value))
    elif type(value) is FunctionType:
        yield from _function_parts(value)
    elif hasattr(value, "func") and hasattr(value, "keywords"):
        yield from ((f", {word} of a partial,", getattr(value, word)) for word in ("func", "args", "keywords"))
    elif hasattr(value, "__self__") and hasattr(value, "__func__"):
        yield f", the object of the method {value.__func__.__name__!r},", value.__self__
    else:
        yield from ((f".{name}", part) for name, part in getattr(value, "__dict__", {}).items())
        for name in getattr(type(value), "__slots__", ()):
            yield f".{name}", getattr(value, name, None)


def _function_parts(function: FunctionType) -> Iterator[tuple[str, Any]]:
    title = function_name(function)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f", the variable {name!r} that {title} captured,", cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for number, part in enumerate(function.__defaults__ or ()):
        yield f", default argument {number} of {title},", part
    for name, part in (function.__kwdefaults__ or {}).items():
        yield f", the default of {name!r} of {title},", part
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield f", the global {name!r} that {title} uses,", function.__globals__[name]
    yield from ((f", the attribute {name!r} of {title},", part) for name, part in function.__dict__.items())


def function_called(fn: Any) -> str:
    """The function for the start of a sentence."""
    return f"the function {function_name(fn)}"


def warn_if_large(fn: Any, body: bytes, definitions: Sequence[Definition]) -> None:
    """Warn once for each function's name if what is sent for it is large, naming the largest parts."""
    total = len(body) + sum(len(definition.body) for definition in definitions)
    name = function_name(fn)
    if total <= LARGE or name in _warned:
        return
    _warned.add(name)
    sizes = {f"global {definition.name!r}": len(definition.body) for definition in definitions}
    sizes.update(_captured(fn))
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:3]
    parts = ", ".join(f"{part} ({size / 1e6:.1f} MB)" for part, size in largest if size >= total / 20)
    warnings.warn(
        f"{name} takes {total / 1e6:.1f} MB along to every worker: {parts or 'in many small parts'}; "
        "load it in the pool's `initializer`, or pass a path",
        LargeFunctionWarning,
        stacklevel=_levels_to_caller(),
    )


def _captured(fn: Any) -> dict[str, int]:
    from .book import Book

    sizes = {}
    for name, part in _parts(fn):
        if "global" not in name:
            try:
                sizes[name.strip(", ")] = len(Book({}).pack(part, share=False)[0])
            except Exception:  # noqa: BLE001 - only the whole could be packed
                continue
    return sizes


def _levels_to_caller() -> int:
    """The stacklevel, for the function that calls this one, of the first frame outside this library."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] == "elsewhere":
        level, frame = level + 1, frame.f_back
    return level

"""How values and errors become bytes for the caller."""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from typing import Any, Callable

from .names import shipped, tokens

PLAIN = frozenset({int, float, complex, bool, type(None), str, bytes})
LARGE = 1 << 20  # bytes
OURS = "<elsewhere>/"  # how the file names of all that was shipped with this begin
caller: Any = None  # the version of the caller's Python, as (3, 11)


class CallCancelled(Exception):
    """Raised inside a call that was cancelled."""


class CallTimeout(TimeoutError):
    """Raised inside a call that ran longer than its timeout."""


CallCancelled.__module__ = CallTimeout.__module__ = "elsewhere.errors"


class _ByName(pickle.Pickler):
    """Classes that were shipped go back as their tokens."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, BaseException) and type(obj) in copyreg.dispatch_table:  # tblib's, which has been imported
            return obj.__reduce_ex__(5)
        if not isinstance(obj, type):
            return NotImplemented
        if obj in tokens:
            return shipped, (tokens[obj],)
        names = vars(sys.modules.get(obj.__module__, obj))
        if issubclass(obj, tuple) and names.get(obj.__qualname__) is not obj:  # shutil.usage has another name there
            return next((name for name, value in names.items() if value is obj), NotImplemented)
        return NotImplemented


def dumps(value: Any) -> bytes:
    """A result as bytes: by value only what has no name, and only for a caller that has the same byte code."""
    if not tokens and "tblib" not in sys.modules:
        try:
            return pickle.dumps(value, 5)
        except (pickle.PicklingError, AttributeError):
            pass
    try:
        return _dumped(_ByName, value)
    except (pickle.PicklingError, AttributeError, TypeError):
        if caller != sys.version_info[:2]:
            raise
    from cloudpickle import cloudpickle

    class ByValue(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
        def reducer_override(self, obj: Any) -> Any:
            named = _ByName.reducer_override(self, obj)
            return super().reducer_override(obj) if named is NotImplemented else named

    return _dumped(ByValue, value)


def _dumped(kind: Any, value: Any) -> bytes:
    file = io.BytesIO()
    pickler = kind(file, 5)
    try:
        pickler.dump(value)
    finally:
        pickler.clear_memo()  # a pickler is part of a cycle, and what it remembers may be large
    return file.getvalue()


def is_large(value: Any) -> bool:
    """Is it worth being sent without a copy?"""
    kind = type(value)
    if kind is bytes or kind is bytearray:
        return len(value) >= LARGE
    return kind.__name__ == "ndarray" and value.nbytes >= LARGE and not value.dtype.hasobject


class _Pieces(list):  # type: ignore[type-arg]  # 3.8's is no generic
    """A file to which a pickler gives large data as it is."""

    write = list.append


def in_pieces(value: Any) -> list[Any]:
    """A large result's pickle, the data itself not copied."""
    pieces = _Pieces()
    pickle.Pickler(pieces, 5).dump(value)
    return pieces


def text_of(value: Any, form: Callable[[Any], str] = str) -> str:
    """Its text; never raises an `Exception`."""
    try:
        return form(value)
    except Exception as error:
        return f"<{type(value).__qualname__} whose {form.__name__}() raises {type(error).__name__}>"


def function_name(fn: Any) -> str:
    """A name a reader recognises."""
    inner = getattr(fn, "func", None)
    if inner is not None and not hasattr(fn, "__qualname__"):
        return f"partial({function_name(inner)})"
    name = getattr(fn, "__qualname__", None) or type(fn).__qualname__
    module = getattr(fn, "__module__", None)
    return f"{module}.{name}" if module not in (None, "__main__", "builtins") else str(name)


def describe_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The call as a reader would write it, long arguments shortened."""
    from reprlib import Repr

    short = Repr()
    short.maxstring = short.maxother = 60
    short.maxlevel = 3
    try:
        parts = [short.repr(value) for value in args] + [f"{key}={short.repr(kwargs[key])}" for key in kwargs]
    except Exception:
        parts = ["..."]
    return f"{name}({', '.join(parts)})"


def envelope(error: BaseException, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], seconds: float) -> bytes:
    """An error in a form that always arrives: in words, and pickled if it can be."""
    import traceback

    told = traceback.TracebackException(type(error), error, error.__traceback__)
    try:
        _own_frames_off(told)
        trace = "".join(told.format())
    except Exception:  # an error's own __str__ may raise
        trace = f"{type(error).__qualname__}: {text_of(error)}\n"
    body = None
    try:
        body = dumps(error.with_traceback(None))
    except Exception:
        body = None  # the words go alone
    kind = type(error)
    call = describe_call(name, args, kwargs)
    return pickle.dumps((body, f"{kind.__module__}.{kind.__qualname__}", text_of(error), trace, call, seconds), 4)


def _own_frames_off(told: Any) -> None:
    """Only the frames of the user's code stay, in all errors that are shown."""
    seen, waiting = set(), [told]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.stack[:] = [entry for entry in one.stack if not entry.filename.startswith(OURS)]
            waiting += [one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or ())]


def unsendable(error: Exception, value: Any, call: str, seconds: float) -> bytes:
    """The answer of a call whose result nothing can pickle."""
    return pickle.dumps((None, "MaybeEncodingError", (text_of(error), text_of(value, repr)), "", call, seconds), 4)

"""What `importlib.reload` did to a module in the caller is done again in the workers, once.

The law of the file: a module's generation is how often the caller's ``module.__spec__``, which each reload replaces,
was seen to change since a function of the module was first sent. Generation 0 costs nothing: no definition at all.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from types import FunctionType
from typing import Any

__all__ = ["PREFIX", "need_of", "reload_to"]

PREFIX = "module:"

_lock = threading.Lock()
_seen: dict[str, tuple[Any, int]] = {}  # caller: module name -> the spec last seen, generation
_loaded: dict[str, int] = {}  # worker: module name -> generation


def need_of(fn: Any) -> tuple[bytes, str, bytes] | None:
    """Digest, name and body of the definition that makes a worker reload `fn`'s module; None if it need not."""
    if type(fn) is not FunctionType:
        fn = _innermost(fn)
    name = getattr(fn, "__module__", None)
    module = sys.modules.get(name) if isinstance(name, str) else None
    spec = getattr(module, "__spec__", None)
    if spec is None or name is None:
        return None
    seen = _seen.get(name)
    if seen is None or seen[0] is not spec:
        seen = _update(name, spec)
    if seen[1] == 0:
        return None
    key = f"{PREFIX}{name}"
    return f"{key}@{seen[1]}".encode(), key, str(seen[1]).encode()


def _update(name: str, spec: Any) -> tuple[Any, int]:
    with _lock:
        seen = _seen.get(name)
        if seen is None or seen[0] is not spec:
            seen = _seen[name] = (spec, 0 if seen is None else seen[1] + 1)
        return seen


def _innermost(fn: Any) -> Any:
    """The function or class whose module counts: a partial's function, an instance's class."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn


def reload_to(key: str, body: bytes) -> None:
    """Worker: bring the module to the caller's generation, unless it is already there or further."""
    name, generation = key.removeprefix(PREFIX), int(body)
    if _loaded.get(name, 0) >= generation:
        return
    module = sys.modules.get(name)
    if module is None:
        importlib.import_module(name)
    else:
        importlib.reload(module)
    _loaded[name] = generation

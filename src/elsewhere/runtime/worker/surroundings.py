"""Workers get the caller's environment, folder, import path, arguments, umask and warning filters.

The environment differs in one thing: a worker is told its share of the cores, see `runtime.launch.share`.

Rule: the caller's end (`take_surroundings`) and the worker's (`apply_surroundings`) stand side by side here.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import types
import warnings
from typing import Any

from elsewhere.runtime.launch.share import callers_environ, hold

__all__ = ["apply_surroundings", "fresh_main", "save_coverage", "take_surroundings"]


def take_surroundings() -> dict[str, Any]:
    """The caller's surroundings as they are now; everything in it can be pickled."""
    folder = None
    with contextlib.suppress(OSError):  # the folder was deleted
        folder = os.getcwd()
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "environ": callers_environ(),
        "folder": folder,
        "path": [str(entry) for entry in sys.path],
        "argv": list(sys.argv),
        "umask": umask,
        "filters": _filters(),
        "authkey": _authkey(),
        "recursion": sys.getrecursionlimit(),
        "coverage": _measured_by(),
    }


def _authkey() -> bytes | None:
    """Multiprocessing's, if it is there."""
    if "multiprocessing.process" not in sys.modules:
        return None
    from multiprocessing import process  # the statement waits, if another thread is just importing it

    return bytes(process.current_process().authkey)


def _filters() -> list[bytes]:
    """Each warning filter pickled alone: a category that cannot travel costs only its own filter."""
    kept = []
    for action, message, category, module, line in warnings.filters:
        with contextlib.suppress(Exception):
            named: Any = category
            if isinstance(category, type) and category.__module__ != "builtins":
                named = category.__module__, category.__qualname__
            body = pickle.dumps((action, message, named, module, line), 5)
            if b"__main__" not in body:
                kept.append(body)
    return kept


class _Unloaded(type):
    """The class of a warning category whose module is not loaded: until it is, there is no such warning.

    NumPy has a filter for a category of its own: to load it would cost every worker NumPy's import, before the
    initializer could say how many threads its libraries may start.
    """

    def __subclasscheck__(cls, other: type) -> bool:
        found: Any = sys.modules.get(cls.__module__)
        for name in cls.__qualname__.split("."):
            found = getattr(found, name, None)
        return isinstance(found, type) and issubclass(other, found)


def _category(named: Any) -> type:
    if isinstance(named, type):
        return named
    module, name = named
    return _Unloaded(name.rpartition(".")[2], (Warning,), {"__module__": module, "__qualname__": name})


def apply_surroundings(given: dict[str, Any]) -> None:
    """Make this process look like the caller."""
    for name in set(os.environ) - set(given["environ"]):
        del os.environ[name]
    for name, value in given["environ"].items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    if "cores" in given:
        hold(given["cores"], given["environ"])
    sys.path[:] = given["path"]
    sys.argv[:] = given["argv"]
    os.umask(given["umask"])
    sys.setrecursionlimit(given["recursion"])
    if given["folder"] is not None:
        with contextlib.suppress(OSError):
            os.chdir(given["folder"])
    filters = []
    for body in given["filters"]:
        with contextlib.suppress(Exception):  # a message's class, say, cannot be imported here
            action, message, named, module, line = pickle.loads(body)
            filters.append((action, message, _category(named), module, line))
    warnings.filters[:] = filters  # type: ignore[index]  # the stubs call it a Sequence; it is a list
    warnings._filters_mutated()  # type: ignore[attr-defined]  # what warnings.simplefilter calls too
    if given["authkey"] is not None:
        from multiprocessing import process

        process.current_process().authkey = given["authkey"]
    _reseed()
    if given["coverage"] is not None:
        measure(given["coverage"])


def _measured_by() -> str | None:
    """The configuration file of coverage.py, if it counts the caller's lines under ``concurrency = multiprocessing``.

    That setting is carried out by a patch of multiprocessing's processes. Under its others, ``patch = subprocess`` and
    COVERAGE_PROCESS_START, it starts itself in the fork server, and goes on in its forks.
    """
    coverage = sys.modules.get("coverage")
    measuring = coverage.Coverage.current() if hasattr(coverage, "Coverage") else None  # type: ignore[union-attr]  # it has
    if measuring is None or "multiprocessing" not in (measuring.get_option("run:concurrency") or ()):
        return None
    return os.path.abspath(measuring.config.config_file or ".coveragerc")


def measure(config_file: str) -> None:
    """Have coverage.py count this process's lines, unless it does; they are saved by what it registers with atexit."""
    with contextlib.suppress(ImportError):
        import coverage

        if coverage.Coverage.current() is None:
            coverage.Coverage(data_suffix=True, config_file=config_file, auto_data=True).start()


def save_coverage() -> None:
    """In a fork of a caller whose lines are counted: what that had registered with atexit is cleared there."""
    coverage = sys.modules.get("coverage")
    measuring = coverage.Coverage.current() if hasattr(coverage, "Coverage") else None  # type: ignore[union-attr]  # it has
    if measuring is not None and measuring.get_option("run:parallel"):  # else its file is the caller's
        measuring.save()


def _reseed() -> None:
    """Workers differ in their global random generators; the standard library's is reseeded by fork itself."""
    module = sys.modules.get("random")
    if module is not None:
        module.seed()
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


def fresh_main() -> types.ModuleType:
    """An empty ``__main__``: the caller's is never run again, what calls need of it travels by value."""
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    return main

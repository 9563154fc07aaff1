"""What is logged and warned of in a worker goes to the caller's handlers, in order with the answers.

Rule: nothing here imports `logging`; it is waited for, since most workers never need it. And no handler stands in the
way of the user's own: ours is above the root logger, so ``root.handlers`` is empty and `basicConfig` works.

A worker whose root logger has a handler logs by itself, and sends no records. Below the root, a logger that has a
handler here (which its module gave it when it was imported, say) is served here; the record says so, and in the caller
only the other loggers on its way are asked. So nothing is written twice, and nothing is lost.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["RECORD", "WARNING", "relay_logs", "relay_warnings"]

RECORD, WARNING = 0, 1  # record kinds of a LOG frame
PLAIN = frozenset({int, float, complex, bool, type(None), str, bytes})
DEEP = 4  # levels of lists and dictionaries that are looked through

Send = Callable[[int, bytes], None]


def is_plain(value: Any, deep: int = DEEP) -> bool:
    """Can it travel as it is, being itself and unchanged when the caller looks at it?"""
    kind = type(value)
    if kind in PLAIN:
        return True
    if not deep or kind not in (tuple, list, dict):
        return False
    parts: Iterable[Any] = [*value, *value.values()] if kind is dict else value
    return all(is_plain(part, deep - 1) for part in parts)


# ---- logging ---------------------------------------------------------------------------------------------------------


def relay_logs(send: Send, levels: dict[str, Any], *, inherited: bool) -> None:
    """Attach to `logging`, now or when it is imported.

    Args:
        levels: the caller's, see `pool.places.relay.take_levels`.
        inherited: this process is a fork of the caller, and has copies of its handlers: they are the caller's.
    """

    def attach() -> None:
        Relay(send).attach(levels, inherited=inherited)

    if "logging" in sys.modules:
        attach()
    else:
        sys.meta_path.insert(0, _Finder(attach))


class _Finder:
    """Waits on `sys.meta_path` for the import of `logging`."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "logging":
            return None
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self._then)  # type: ignore[assignment]  # for one import
                return spec
        return None


class _Loader:
    """Another loader, and what is to be done when its module is there."""

    def __init__(self, loader: Any, then: Callable[[], None]) -> None:
        self._loader = loader
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        self._loader.exec_module(module)
        module.__loader__ = module.__spec__.loader = self._loader
        self._then()


class Relay:
    """A handler for what reaches the top. It has no lock: frames are sent whole, from any thread and signal handler."""

    level = 0
    formatter = None

    def __init__(self, send: Send) -> None:
        self._send = send
        self._process = os.getpid()

    def attach(self, levels: dict[str, Any], *, inherited: bool) -> None:
        """Stand above the root logger."""
        import logging

        root = logging.getLogger()
        loggers = [one for one in logging.Logger.manager.loggerDict.values() if isinstance(one, logging.Logger)]
        if inherited:
            for one in (root, *loggers):
                one.handlers, one.filters = [], []
                one.propagate = True
            _flush_at_exit()
        above = logging.Logger("elsewhere")  # noqa: LOG001 - no logger of the tree: what stands above its root
        above.handlers = [self]  # type: ignore[list-item]  # all that a logger asks of a handler
        root.parent = above
        root.setLevel(levels.get("root", logging.WARNING))
        logging.disable(levels.get("disable", 0))
        for name, level in levels.get("levels", {}).items():
            logging.getLogger(name).setLevel(level)
        for name in levels.get("disabled", ()):
            logging.getLogger(name).disabled = True

    def handle(self, record: Any) -> bool:
        """Send a record, unless the worker logs by itself."""
        import logging

        taken = []
        logger: Any = logging.Logger.manager.loggerDict.get(record.name)
        while isinstance(logger, logging.Logger) and logger is not logging.root:
            if any(record.levelno >= handler.level for handler in _real(logger.handlers)):
                taken.append(logger.name)
            logger = logger.parent
        if os.getpid() == self._process and not _real(logging.root.handlers):
            plain, packed = _pack(record)
            self._send(RECORD, pickle.dumps((plain, packed, taken), 5))
        elif logging.lastResort is not None and not taken and not _real(logging.root.handlers):
            logging.lastResort.handle(record)  # a program's own child: it is not our worker, and has no handlers
        return True

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is open."""


def _real(handlers: list[Any]) -> list[Any]:
    """Those that write something: a library adds a NullHandler so that it is quiet by default."""
    import logging

    return [handler for handler in handlers if not isinstance(handler, logging.NullHandler)]


def _flush_at_exit() -> None:
    """What a forked caller registered is cleared in a worker; handlers of the worker's own are flushed all the same."""
    import atexit
    import logging

    atexit.unregister(logging.shutdown)
    atexit.register(logging.shutdown)


def _pack(record: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A record's attributes: those that are plain, and the pickles of others. What cannot travel becomes its text."""
    from elsewhere.runtime.packing import dumps_result

    state = dict(record.__dict__)
    if state.get("exc_info"):
        state["exc_text"] = state.get("exc_text") or _traceback(state["exc_info"])
    state["exc_info"] = None
    if not is_plain(state.get("args")):  # its text is what was meant: the object may have changed when it is read
        try:
            state["msg"], state["args"] = record.getMessage(), None
        except Exception:  # shown as far as it can be
            state["args"] = (_text(state["args"], repr),)
    if type(state.get("msg")) is not str:
        state["msg"] = _text(state.get("msg"), str)
    if state.get("processName") in (None, "MainProcess"):
        state["processName"] = f"Worker-{os.getpid()}"
    packed = {}
    for name in [name for name, value in state.items() if not is_plain(value)]:
        value = state.pop(name)
        try:
            packed[name] = dumps_result(value)
        except Exception:
            state[name] = _text(value, repr)
    return state, packed


def _traceback(exc_info: Any) -> str:
    import logging

    return logging.Formatter().formatException(exc_info)


def _text(value: Any, form: Callable[[Any], str]) -> str:
    try:
        return form(value)
    except Exception as error:
        return f"<{type(value).__qualname__} whose {form.__name__}() raises {type(error).__name__}>"


# ---- warnings --------------------------------------------------------------------------------------------------------


def relay_warnings(send: Send) -> None:
    """What would be shown here is shown by the caller's `warnings`, by its filters of that moment."""
    original = warnings._showwarning_orig if hasattr(warnings, "_showwarning_orig") else warnings.showwarning
    process = os.getpid()

    def showwarning(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        if file is not None or os.getpid() != process:
            original(message, category, filename, lineno, file, line)
        else:
            send(WARNING, _pack_warning(message, category, filename, lineno))

    warnings.showwarning = showwarning


def _pack_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int) -> bytes:
    from elsewhere.runtime.packing import dumps_result

    text = _text(message, str)
    known = next(kind for kind in category.__mro__ if kind.__module__ == "builtins")
    try:
        body = dumps_result(message)
    except Exception:
        body = None
    return pickle.dumps((body, text, known.__name__, filename, lineno, _module_of(filename)), 5)


def _module_of(filename: str) -> str | None:
    """The module that the warning is about: the nearest caller in that file."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == filename:
            name = frame.f_globals.get("__name__")
            return name if isinstance(name, str) else None
        frame = frame.f_back
    return None

"""What is logged and warned of goes to the caller's handlers, in order with the answers, as plain values."""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any, Callable

from .answers import PLAIN, text_of
from .wire import RECORD, WARNING


def is_plain(value: Any, deep: int = 4) -> bool:
    """Can it travel as it is, being itself and unchanged when the caller looks at it?"""
    kind = type(value)
    if kind in PLAIN:
        return True
    if not deep or kind not in (tuple, list, dict):
        return False
    return all(is_plain(part, deep - 1) for part in ([*value, *value.values()] if kind is dict else value))


class Relay:
    """A handler above the root logger: `root.handlers` stays empty, so that `basicConfig` works as ever.

    A worker whose root logger has a handler of its own logs by itself, and sends no records.
    """

    level, formatter = 0, None

    def __init__(self, send: Callable[[int, bytes], None], levels: dict[str, Any]) -> None:
        import logging

        self._send = send
        self._process = os.getpid()
        self._logging: Any = logging
        above: Any = logging.Logger("elsewhere")  # noqa: LOG001 - no logger of the tree: what stands above its root
        above.handlers = [self]
        logging.root.parent = above
        logging.root.setLevel(levels.get("root", logging.WARNING))
        logging.disable(levels.get("disable", 0))
        for name, level in levels.get("levels", {}).items():
            logging.getLogger(name).setLevel(level)
        for name in levels.get("disabled", ()):
            logging.getLogger(name).disabled = True

    def handle(self, record: Any) -> bool:
        """Send a record, unless the worker logs by itself; with the loggers on its way that have a handler here."""
        manager, root = self._logging.Logger.manager, self._logging.root
        taken = []
        logger = manager.loggerDict.get(record.name)
        while isinstance(logger, self._logging.Logger) and logger is not root:
            if any(record.levelno >= handler.level for handler in self._real(logger)):
                taken.append(logger.name)
            logger = logger.parent
        if self._real(root):
            return True
        if os.getpid() == self._process:
            self._send(RECORD, pickle.dumps((self._plain(record), {}, taken), 4))
        elif self._logging.lastResort is not None and not taken:
            self._logging.lastResort.handle(record)  # a child that a call has forked: it is not our worker
        return True

    def _real(self, logger: Any) -> list[Any]:
        return [one for one in logger.handlers if not isinstance(one, self._logging.NullHandler)]

    def _plain(self, record: Any) -> dict[str, Any]:
        state = dict(record.__dict__)
        if state.get("exc_info"):
            state["exc_text"] = state.get("exc_text") or self._logging.Formatter().formatException(state["exc_info"])
        state["exc_info"] = None
        if not is_plain(state.get("args")):  # its text is what was meant: the object may have changed when it is read
            try:
                state["msg"], state["args"] = record.getMessage(), None
            except Exception:
                state["args"] = (text_of(state["args"], repr),)
        if type(state.get("msg")) is not str:
            state["msg"] = text_of(state.get("msg"))
        if state.get("processName") in (None, "MainProcess"):
            state["processName"] = f"Worker-{os.getpid()}"
        return {name: value if is_plain(value) else text_of(value, repr) for name, value in state.items()}


def relay_warnings(send: Callable[[int, bytes], None]) -> None:
    """What would be shown here is shown by the caller's `warnings`, by its filters."""
    import warnings

    original, process = warnings.showwarning, os.getpid()

    def showwarning(
        message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        if file is not None or os.getpid() != process:
            original(message, category, filename, lineno, file, line)
            return
        known = next(kind.__name__ for kind in category.__mro__ if kind.__module__ == "builtins")
        found: Any = sys._getframe(1)
        while found is not None and found.f_code.co_filename != filename:
            found = found.f_back
        module = found and found.f_globals.get("__name__")
        module = module if isinstance(module, str) else None
        send(WARNING, pickle.dumps((None, text_of(message), known, filename, lineno, module), 4))

    warnings.showwarning = showwarning

"""What a call prints, logs and warns of goes to the caller before the call's answer.

Prints go in whole lines; records and warnings as plain values, for the caller's handlers and filters. What C code or a
child process writes goes to the line's own stderr: descriptor 1 is a copy of 2 here.
"""

from __future__ import annotations

import _thread
import codecs
import io
import os
import pickle
import sys
from typing import Any, Callable

from .answers import PLAIN, text_of
from .wire import RECORD, STDOUT, WARNING


class Output(io.TextIOBase):
    """A text stream whose whole lines go to the caller; what is left goes at the end of a call."""

    encoding, errors, line_buffering = "utf-8", "backslashreplace", True

    def __init__(self, fd: int, send: Callable[[int, str], None]) -> None:
        super().__init__()
        self._fd, self._process = fd, os.getpid()
        self._send = send
        self.parts: dict[int, list[str]] = {}  # of lines that have no end yet, by thread
        self.name, self.mode = ("<stdout>" if fd == STDOUT else "<stderr>"), "w"
        self.buffer = _Bytes(self)

    def write(self, text: str) -> int:
        """Keep text until its line is complete."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        thread = _thread.get_ident()
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if end:
            lines = "".join(self.parts.pop(thread, ())) + text[:end]
            if end < len(text):
                self.parts[thread] = [text[end:]]
            self._send(self._fd, lines)
        elif text:
            self.parts.setdefault(thread, []).append(text)
        return len(text)

    def finish(self) -> None:
        """The call is over: send what is left of its last line."""
        self.buffer.finish()
        for thread in list(self.parts):
            self._send(self._fd, "".join(self.parts.pop(thread, ())))

    def flush(self) -> None:
        """Whole lines have gone already; a child that a call has forked may end any time."""
        if os.getpid() != self._process:
            self.finish()

    def close(self) -> None:
        """It stays open: the next call prints, too."""

    def writable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """The file descriptor that programs started by a call inherit."""
        return self._fd

    def reconfigure(self, **options: Any) -> None:
        """It is UTF-8 and by line, whatever is asked for."""


class _Bytes(io.BufferedIOBase):
    """Bytes into an `Output`; a character may come in pieces."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self.torn = False  # has it the beginning of a character?

    def write(self, data: Any) -> int:
        data = bytes(data)
        self._output.write(self._decoder.decode(data))
        self.torn = bool(self._decoder.getstate()[0])
        return len(data)

    def finish(self) -> None:
        if self.torn:
            self.torn = False
            self._output.write(self._decoder.decode(b"", final=True))

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._output.fileno()


# ---- logging and warnings --------------------------------------------------------------------------------------------


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

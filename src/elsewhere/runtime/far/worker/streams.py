"""What a call prints goes to the caller in whole lines, before the call's answer.

What C code or a child process writes goes to the line's own stderr: descriptor 1 is a copy of 2 here.
"""

from __future__ import annotations

import _thread
import codecs
import io
import os
from typing import Any, Callable

from .wire import STDOUT


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

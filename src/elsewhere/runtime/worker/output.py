"""What a call prints goes to the caller's `sys.stdout` and `sys.stderr`, in whole lines, before the call's answer.

Rule: text goes out when a line is complete or the call is over, never in between, so that lines of several workers
do not mix. What C code or a child process writes goes to the inherited file descriptors 1 and 2 directly.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

__all__ = ["Output"]


class Output(io.TextIOBase):
    """A text stream in a worker.

    Args:
        fd: the file descriptor that programs started by the call inherit: 1 or 2.
        send: takes whole lines, and at the end of a call what is left.
    """

    def __init__(self, fd: int, name: str, send: Callable[[str], None]) -> None:
        super().__init__()
        self._fd = fd
        self._send = send
        self.parts: list[str] = []  # of a line that has no end yet
        self.name = name
        self.mode = "w"
        self._buffer: io.BufferedWriter | None = None

    encoding = "utf-8"
    errors = "backslashreplace"
    line_buffering = True

    def write(self, text: str, /) -> int:
        """Keep text until its line is complete."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if end:
            lines = "".join(self.parts) + text[:end]
            self.parts.clear()
            if end < len(text):
                self.parts.append(text[end:])
            self._send(lines)
        elif text:
            self.parts.append(text)
        return len(text)

    def finish(self) -> None:
        """The call is over: send what is left of its last line."""
        if self.parts:
            text = "".join(self.parts)
            self.parts.clear()
            self._send(text)

    def writable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """The inherited file descriptor."""
        return self._fd

    @property
    def buffer(self) -> io.BufferedWriter:
        """A binary stream for those who write bytes; undecodable ones arrive escaped."""
        if self._buffer is None:
            self._buffer = io.BufferedWriter(_Bytes(self), 1)
        return self._buffer


class _Bytes(io.RawIOBase):
    """Bytes into an `Output`."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._output.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)

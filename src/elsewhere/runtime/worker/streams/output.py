"""What a call prints goes to the caller's `sys.stdout` and `sys.stderr`, in whole lines, before the call's answer.

Rule: text goes out when a line is complete or the call is over, never in between, so that lines of several workers
do not mix. What C code or a child process writes goes to the inherited file descriptors 1 and 2 directly.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable
from threading import get_ident
from typing import Any

__all__ = ["Output"]


class Output(io.TextIOBase):
    """A text stream in a worker.

    Args:
        fd: the file descriptor that programs started by the call inherit: 1 or 2.
        send: takes whole lines, and at the end of a call what is left.
        parts: of lines that have no end yet, by descriptor and thread; all streams of a worker share it, so that one
            look tells whether a call left anything.
    """

    def __init__(
        self, fd: int, name: str, send: Callable[[str], None], parts: dict[tuple[int, int], list[str]]
    ) -> None:
        super().__init__()
        self._fd = fd
        self._send = send
        self.parts = parts
        self.name = name
        self.mode = "w"
        self._buffer: _Bytes | None = None

    encoding = "utf-8"
    errors = "backslashreplace"
    line_buffering = True

    def write(self, text: str, /) -> int:
        """Keep text until its line is complete."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        thread = self._fd, get_ident()
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if end:
            lines = "".join(self.parts.pop(thread, ())) + text[:end]
            if end < len(text):
                self.parts[thread] = [text[end:]]
            self._send(lines)
        elif text:
            self.parts.setdefault(thread, []).append(text)
        return len(text)

    def finish(self) -> None:
        """The call is over: send what is left of its last line."""
        if self._buffer is not None:
            self._buffer.finish()
        for thread in [key for key in self.parts if key[0] == self._fd]:
            self._send("".join(self.parts.pop(thread, ())))

    def writable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """The inherited file descriptor."""
        return self._fd

    @property
    def buffer(self) -> io.BufferedIOBase:
        """A binary stream for those who write bytes; undecodable ones arrive escaped."""
        if self._buffer is None:
            self._buffer = _Bytes(self)
        return self._buffer


class _Bytes(io.BufferedIOBase):
    """Bytes into an `Output`; a character may come in pieces."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def write(self, data: Any, /) -> int:
        data = bytes(data)
        self._output.write(self._decoder.decode(data))
        return len(data)

    def finish(self) -> None:
        """No more comes: a character that is torn stays so."""
        self._output.write(self._decoder.decode(b"", final=True))

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._output.fileno()

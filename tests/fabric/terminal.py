"""A program at a terminal, as somebody sits at it."""

from __future__ import annotations

import contextlib
import os
import re
import select
import termios
import time
from typing import Any, Self

from tests.fabric.beside import Bench

PATIENCE = 40.0  # seconds for what is expected


class Terminal:
    """See the module.

    Args:
        bench: whose world it runs in.
        words: the program.
        env: further variables.
    """

    def __init__(self, bench: Bench, words: list[str], env: dict[str, str] | None = None) -> None:
        self._ours, self._theirs = os.openpty()
        self.before = self.modes()
        self.seen = ""
        try:
            self.process = bench.popen(words, [], self._theirs, env)
        except BaseException:
            self._close()
            raise

    def modes(self) -> Any:
        """How the terminal is set."""
        return termios.tcgetattr(self._theirs)

    def type(self, text: str) -> None:
        """Some keys."""
        os.write(self._ours, text.encode())

    def expect(self, pattern: str) -> str:
        """Wait until this is shown; what was seen until its end is given, and forgotten."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen)):
            left = end - time.monotonic()
            ended = self.process.poll() is not None
            assert left > 0, f"{pattern!r} is not in {self.seen!r}"
            if not self._read(0 if ended else min(left, 0.5)):
                assert not ended, f"it has ended without {pattern!r}: {self.seen!r}"
        seen, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return seen

    def _read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        self.seen += os.read(self._ours, 65536).decode(errors="replace")
        return True

    def end(self) -> int:
        """Its exit status, when it has ended; what it shows until then is in `seen`."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it goes on: {self.seen!r}"
            self._read(0.05)
        while self._read(0):
            pass
        return int(self.process.returncode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self) -> None:
        for number in (self._ours, self._theirs):
            with contextlib.suppress(OSError):
                os.close(number)

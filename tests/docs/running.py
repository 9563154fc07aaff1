"""A program of a page: started, listened to, and ended as from a terminal."""

from __future__ import annotations

import codecs
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.docs.blocks import PageError

LAST_WORDS = 5.0  # seconds for output of children that outlive the program


class Program:
    """One that runs, in a process group of its own, as a terminal's job has one.

    Args:
        command: to run.
        folder: in which it runs.
        environment: all of its variables.
        where: what it is, for messages.
        told: gives what was printed the page's names.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        where: str,
        told: Callable[[str], str],
    ) -> None:
        self.where = where
        self._printed = ""
        self._told = told
        self._more = threading.Condition()
        self._silent = False
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        self._thread = threading.Thread(target=self._read, name=f"reads {where}")
        self._thread.start()

    @property
    def printed(self) -> str:
        """All that it has said until now, as the page would have it."""
        return self._told(self._printed)

    def until(self, enough: Callable[[str], bool], seconds: float, expected: str) -> None:
        """Wait until it has printed what is enough."""
        end = time.monotonic() + seconds
        with self._more:
            while not enough(self.printed):
                if self._silent:
                    raise PageError(f"{self.where}\nended, and printed:\n{self.printed}instead of:\n{expected}")
                if not self._more.wait(end - time.monotonic()):
                    raise PageError(f"{self.where}\nhas printed in {seconds:.0f} s:\n{self.printed}not:\n{expected}")

    def finish(self, seconds: float) -> int:
        """Wait until it ends, and give its exit code."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise PageError(
                f"{self.where}\nstill runs after {seconds:.0f} s, and has printed:\n{self.printed}"
            ) from None
        finally:
            self.kill()
        return code

    def interrupt(self, seconds: float) -> None:
        """Ctrl-C, which goes to all that it has started, too."""
        if self._process.poll() is None:
            self._signal(signal.SIGINT)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise PageError(f"{self.where}\nstill runs {seconds:.0f} s after Ctrl-C") from None
        self._thread.join(LAST_WORDS)

    def kill(self) -> None:
        """The end of it and of its group, whatever it does."""
        if self._process.poll() is not None:
            self._thread.join(LAST_WORDS)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._thread.join(LAST_WORDS)
        assert self._process.stdout is not None
        if not self._thread.is_alive():
            self._process.stdout.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        while data := os.read(self._process.stdout.fileno(), 65536):
            with self._more:
                self._printed += decode(data)
                self._more.notify_all()
        with self._more:
            self._silent = True
            self._more.notify_all()

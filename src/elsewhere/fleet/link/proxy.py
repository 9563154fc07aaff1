"""A program instead of a connection: ProxyCommand of ssh_config(5).

It is run by ``sh``, as ssh does it, so that pipes and redirections work; its stdin and stdout are one socket, which is
used like any other. What it says on stderr is told if the connection fails, and mixes with nobody's output.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile

__all__ = ["Proxy"]

PATIENCE = 1.0  # seconds for one that was killed to be gone
MOST = 4096  # bytes of what it said


class Proxy:
    """One that runs.

    Args:
        command: for ``sh``.

    Attributes:
        sock: to it; its owner closes it.

    Raises:
        OSError: there is no ``sh``.
    """

    def __init__(self, command: str) -> None:
        self.sock, theirs = socket.socketpair()
        self._last = ""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it is open as long as this is
        try:
            self.sock.setblocking(False)
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._said, start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self.sock.close()
            self._said.close()
            raise
        finally:
            theirs.close()

    def last(self) -> str:
        """The last line that it said on stderr, or ""."""
        if not self._said.closed:
            size = os.fstat(self._said.fileno()).st_size
            tail = os.pread(self._said.fileno(), MOST, max(0, size - MOST))  # its writer's position stays where it is
            self._last = (tail.decode(errors="replace").strip().splitlines() or [""])[-1]
        return self._last

    def end(self) -> None:
        """End it, with all that it has started. It has nothing to lose: its other end has gone."""
        self.last()
        self._said.close()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)

"""IDLE without its window: what is typed is run by IDLE's own interpreter process, `idlelib.run`.

In IDLE the window and the code are two processes. The window sends what is typed over a socket of `idlelib.rpc`, and is
asked back, over the same, to show what is printed. Here are those parts of `idlelib.pyshell` that do this.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from idlelib import rpc  # type: ignore[import-not-found]  # no stubs know it
from pathlib import Path

PATIENCE = 60.0


class Shell:
    """The window's text, and what it is asked besides."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str, tags: object = ()) -> int:
        self.text += text
        return len(text)

    def close(self) -> None:
        """Asked for by who closes `sys.stdin`."""

    def getvar(self, name: str) -> bool:
        """Whether something of the menu is on, such as the viewer of stacks."""
        return False

    def getline(self, file: str, number: int) -> str:
        """A line of what was typed, for a traceback."""
        return ""


class Client(rpc.RPCClient):
    """The window's end of the socket."""

    def exithook(self) -> None:
        """The other process has ended. IDLE's own ends the program here."""
        raise AssertionError("IDLE's interpreter has ended")


class Idle:
    """A window.

    Attributes:
        client: its end of the socket.
        process: IDLE's other process.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.shell = Shell()
        self.client = Client(("127.0.0.1", 0))
        self.client.listening_sock.settimeout(PATIENCE)
        port = self.client.listening_sock.getsockname()[1]
        with (folder / "terminal").open("w") as terminal:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "__import__('idlelib.run').run.main(True)", f"{port}"],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )
        self.terminal = folder / "terminal"
        self.client.accept()
        self.client.listening_sock.close()
        for name in ("console", "stdin", "stdout", "stderr", "flist", "interp", "linecache"):
            self.client.register(name, self.shell)

    def run(self, code: str) -> str:
        """Type this; what the window shows of it."""
        return self.finish(self.begin(code))

    def begin(self, code: str) -> object:
        """Type this, and go on; what to give to `finish`."""
        self.shell.text = ""
        return self.client.asyncqueue("exec", "runcode", (compile(code, "<pyshell#0>", "exec"),), {})

    def finish(self, asked: object) -> str:
        """Wait for its end; what the window shows of it."""
        end = time.monotonic() + PATIENCE
        while self.client.pollresponse(asked, wait=0.05) is None:
            assert time.monotonic() < end, f"it does not end; so far: {self.shell.text}"
        return self.shell.text

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)  # multiprocessing's tracker ignores it, and tidies up
        self.process.wait(PATIENCE)
        self.client.close()


@contextlib.contextmanager
def idle(folder: Path, environment: Mapping[str, str]) -> Iterator[Idle]:
    """A window, which is closed at the end, with all that it has started."""
    window = Idle(folder, environment)
    try:
        yield window
    finally:
        window.close()

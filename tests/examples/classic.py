"""The programs of examples/classic and their variants: with our imports, and without their main guards.

A line that has a second spelling shows it: ``from multiprocessing import Pool  # or: from elsewhere import Pool``.
The variants are made from the file by that comment alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import textwrap
import time
import tty
from collections.abc import Sequence
from pathlib import Path

from tests.require import ROOT

FOLDER = ROOT / "examples" / "classic"
PAGE = ROOT / "docs" / "classic.md"
GUARD = 'if __name__ == "__main__":\n'
BOUND = 60.0  # seconds for what takes a moment: only a hang reaches it


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.py").read_text()


def with_ours(text: str) -> str:
    """The program with our imports: what stands behind each ``# or:`` takes the place of its line."""
    return re.sub("^.*  # or: ", "", text, flags=re.MULTILINE)


def without_guard(text: str) -> str:
    """The program as a plain script."""
    head, guard, body = text.partition(GUARD)
    assert guard, "there is no main guard"
    return head + textwrap.dedent(body)


def variants(text: str) -> dict[str, str]:
    """The program with the original's imports and, if it has any, with ours; and each without its guard."""
    found = {"original": text, "ours": with_ours(text)}
    if found["ours"] == text:
        del found["ours"]
    return found | {f"{name}, no guard": without_guard(text) for name, text in found.items()}


def quick(text: str) -> str:
    """A second of sleep becomes a twentieth."""
    return re.sub(r"time\.sleep\((\d+)\)", r"time.sleep(\1 / 20)", text)


def told(output: str) -> list[str]:
    """Its lines, but for what is another number each time: of processes, and of seconds."""
    return re.sub(r"process \d+|took \d+ seconds", lambda found: re.sub(r"\d+", "N", found[0]), output).splitlines()


class Terminal:
    """A program at a terminal of its own, as a reader runs it: its lines are seen as they are printed.

    Args:
        path: where it is written, and run.
        text: the program.
        python: what runs it.
        environment: more of it.
    """

    def __init__(
        self, path: Path, text: str, *, python: str = sys.executable, environment: dict[str, str] | None = None
    ) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        self.output = ""
        self._ended = False
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        settings = {"PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}
        self._errors = path.with_suffix(".stderr").open("w+")
        self._terminal, other = os.openpty()
        tty.setraw(other)  # lines end as they were written
        try:
            self.process = subprocess.Popen(
                [python, str(path)],
                cwd=path.parent,
                env=inherited | settings,
                stdin=subprocess.DEVNULL,
                stdout=other,
                stderr=self._errors,
                process_group=0,
            )
        except BaseException:
            self.close()
            raise
        finally:
            os.close(other)

    def until(self, line: str) -> None:
        """Wait until it has printed that."""
        end = time.monotonic() + BOUND
        while line not in self.output:
            assert self._more(end), f"it ended without {line!r}: {self.output!r} {self.errors()}"

    def end(self) -> int:
        """Wait until it and all its children have ended: its exit status."""
        end = time.monotonic() + BOUND
        while self._more(end):
            pass
        return self.process.wait(BOUND)

    def interrupt(self) -> int:
        """Ctrl-C; its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read()

    def close(self) -> None:
        """Over, whatever has happened: nothing of it is left."""
        if hasattr(self, "process") and not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(BOUND)
        os.close(self._terminal)
        self._errors.close()

    def _more(self, end: float) -> bool:
        """Read what comes until then; False at the end of the last process that has the terminal."""
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"nothing more in {BOUND:g} s: {self.output!r} {self.errors()}"
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # EIO is how a terminal says that
            self._ended = True
            return False
        self.output += data.decode()
        return True


def blocks(page: str) -> Sequence[tuple[str, str, str]]:
    """Of a page each block of a program: the program's name, its text, and the block of what it prints, or ""."""
    found = re.findall(
        r'^```python title="examples/classic/(\w+)\.py"\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?',
        page,
        re.MULTILINE | re.DOTALL,
    )
    return [(name, text, output) for name, text, output in found]

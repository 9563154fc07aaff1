"""A terminal: the bar as its last line, what is printed above that, who is asked something there, and its colours."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

from elsewhere.progress.views import UNDRAWABLE, View
from elsewhere.progress.words import Snapshot, compose

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Above", "Terminal", "aside", "asking", "colours", "device_of"]

REFRESH = 0.1  # seconds between frames on a terminal
BAR_WIDTH = 40  # columns of a bar, less where the terminal is narrow
NARROWEST_BAR = 6  # below this the numbers are worth more than the bar


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """No bar is drawn while this block runs: somebody is asked for a password, on the same terminal perhaps."""
    with Terminal.choosing:
        Terminal.asking += 1
        living = [bar for bar in Terminal.living.values() if not bar.over()]
    try:
        for bar in living:
            bar.hide()
        yield
    finally:
        with Terminal.choosing:
            Terminal.asking -= 1


def asking() -> bool:
    """Is somebody being asked for a password? What is typed then is for nobody else."""
    return Terminal.asking > 0


def colours(to: TextIO) -> bool:
    """May what is written there be coloured? ``NO_COLOR`` forbids it, ``FORCE_COLOR`` asks for it; else: a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    try:
        return to.isatty() and os.environ.get("TERM") not in (None, "dumb", "unknown")
    except (AttributeError, ValueError):
        return False


def device_of(stream: TextIO) -> int | None:
    """The number of the terminal device behind `stream`; None for a file, a pipe, or what only says isatty (IDLE)."""
    try:
        number = stream.fileno()
        return os.fstat(number).st_rdev if stream.isatty() and os.isatty(number) else None
    except (AttributeError, *UNDRAWABLE):
        return None


class Terminal(View):
    """A bar as the last line of a terminal. Its thread asks for the numbers, so `advance` never draws.

    What is printed to stdout and stderr meanwhile goes above it, if it goes to the same terminal.
    """

    choosing = RLock()
    living: ClassVar[dict[int, Terminal]] = {}  # by device: a terminal has one last line
    asking: ClassVar[int] = 0  # how many want to have the terminal for themselves; see `aside`

    def __init__(self, snapshot: Callable[[], Snapshot], stream: TextIO, device: int) -> None:
        from rich.console import Console
        from rich.live import Live

        self._snapshot, self._stream, self._device = snapshot, stream, device
        self._pid = os.getpid()
        self._closing, self._closed = Event(), False
        self._drawing = RLock()  # so that nothing is drawn behind `hide`
        self._stand_ins: dict[str, Above] = {}
        self._console = Console(file=stream, force_jupyter=False)
        # Not Rich's own thread: nobody can join that one, and it ends in a traceback when the terminal goes.
        # Not Rich's own redirection: it would send rows meant for a file to the terminal, and wrap long lines.
        own: dict[str, Any] = {"auto_refresh": False, "redirect_stdout": False, "redirect_stderr": False}
        self._live = Live(None, console=self._console, get_renderable=self._line, **own)
        self._live.start(refresh=True)
        self._console.show_cursor()  # Rich hid it, and after kill -9 nobody would show it again
        self.living[device] = self
        for name in ("stdout", "stderr"):
            printed = getattr(sys, name)
            if printed is not None and device_of(printed) == device:
                printed.flush()
                self._stand_ins[name] = Above(printed, self)
                setattr(sys, name, self._stand_ins[name])
        atexit.register(self._close)  # for a bar that nobody closed
        self._thread = Thread(target=self._refresh, name="elsewhere-progress", daemon=True)
        self._thread.start()

    def over(self) -> bool:
        return self._closed or self._pid != os.getpid()  # a forked child has no bar

    def end(self, shot: Snapshot) -> None:
        self._snapshot = lambda: shot
        self._close()

    def print_above(self, text: str) -> None:
        from rich.segment import Segment, Segments

        with self._drawing:
            if self.asking:
                self._stream.write(text)
                self._stream.flush()
            else:
                # A bare segment: Rich would wrap text at the terminal's width, and colour what looks like a number.
                self._console.print(Segments([Segment(text)]), crop=False, end="")

    def hide(self) -> None:
        """Clear its line."""
        with self._drawing, contextlib.suppress(*UNDRAWABLE):
            self._stream.write("\r\x1b[2K")
            self._stream.flush()

    def draw(self) -> None:
        """Draw it anew, unless somebody is asked something."""
        with self._drawing:
            if not self.asking:
                self._live.refresh()

    def _close(self) -> None:
        if self.over() or self._closing.is_set():
            return
        self._closing.set()
        atexit.unregister(self._close)
        try:
            self._thread.join()
            self._live.stop()
        finally:
            self._closed = True
            self.living.pop(self._device, None)
            for name, stand_in in self._stand_ins.items():
                if getattr(sys, name) is stand_in:  # if not, somebody has put another one over it since
                    setattr(sys, name, stand_in.stream)
                stand_in.flush()

    def _refresh(self) -> None:
        with contextlib.suppress(*UNDRAWABLE):
            while not self._closing.wait(REFRESH):
                self.draw()

    def _line(self) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Column, Table
        from rich.text import Text

        with contextlib.suppress(*UNDRAWABLE):  # Rich asks stdin, stdout and stderr, whatever its file is
            self._console.width = os.get_terminal_size(self._stream.fileno()).columns or self._console.width
        shot = self._snapshot()
        label, numbers = Text(shot.label), Text("  ".join(compose(shot, elapsed=True)))
        numbers.highlight_regex(r"\S+ failed$", "red")
        width = min(BAR_WIDTH, self._console.width - label.cell_len - numbers.cell_len - 2)
        total = shot.total or (1 if shot.ended or shot.total == 0 else None)
        bar = ProgressBar(total, shot.done if shot.total else 1, width, pulse=total is None)
        table = Table.grid(*(Column(no_wrap=True) for _ in range(3)), padding=(0, 1))  # one line, however narrow
        table.add_row(label, bar if width >= NARROWEST_BAR else "", numbers)
        return table


class Above:
    """Stands in for a stream on a terminal where a bar lives: whole lines go above the bar."""

    def __init__(self, stream: TextIO, bar: Terminal) -> None:
        self.stream = stream
        self._bar = bar
        self._held = ""
        self._lock = RLock()

    def write(self, text: str) -> int:
        with self._lock:
            whole, newline, self._held = (self._held + text).rpartition("\n")
            if self._bar.over():
                self.stream.write(whole + newline + self._held)
                self._held = ""
            elif newline:
                self._bar.print_above(whole + newline)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """A line begun is shown as a line of its own, unless it is one that means to rewrite itself."""
        if self._held and (self._bar.over() or "\r" not in self._held):
            self.write("" if self._bar.over() else "\n")
        self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

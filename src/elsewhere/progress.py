"""The one progress bar: all that draws how far a job is lives in this file, and nothing here knows what a job is.

::

    advance()  ──counts, and looks at the clock──▶  Throttle  ──a Snapshot, now and then──▶  a view:

    a terminal       _Terminal        one Rich line, drawn by a thread of its own 10 times a second
    a notebook       _Widget          ipywidgets; without them
                     _Lines           one line, rewritten after a carriage return
    a file, a pipe   _Lines           a plain line every few seconds; so does a second bar, above the first

`advance` is called for every batch of results, so it adds twice and compares once. What is shown is composed by pure
functions of a `Snapshot`: numbers in, text out. A bar that cannot be drawn (its terminal is gone, its pipe is closed)
goes silent, because no job may fail for the sake of its bar. Rich and ipywidgets are imported when a bar needs them.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import importlib
import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TextIO, cast

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Progress", "Snapshot", "aside", "asking", "colours", "compose", "compose_line", "duration", "pace"]

FIRST_LINE = 2.0  # seconds until the first plain line: a job of ten seconds shows at least two before its last
NEXT_LINE = 5.0  # seconds between plain lines: a log that still tells the pace and is not filled by it
REWRITE = 0.2  # seconds between updates in a notebook: each one is a message to the browser
REFRESH = 0.1  # seconds between frames on a terminal
WINDOW = 30.0  # seconds over which the pace is measured: steady enough to read, and a stall shows
BAR_WIDTH = 40  # columns of a bar, less where the terminal is narrow
NARROWEST_BAR = 6  # below this the numbers are worth more than the bar
UNDRAWABLE = (OSError, ValueError)  # a stream that is gone raises EPIPE or EIO, and ValueError once it is closed


class Snapshot(NamedTuple):
    """How far a job is at one moment."""

    label: str
    done: int
    total: int | None  # None: nobody knows
    failed: int
    elapsed: float
    rate: float  # calls a second
    ended: bool = False


def compose(shot: Snapshot, *, elapsed: bool = False) -> list[str]:
    """What to show, part by part: count, percentage, pace, time so far (if asked for), time to go, failures."""
    parts = [f"{shot.done:,}"]
    if shot.total is not None:
        # Rounded down: 100% is said when everything is done, and not before.
        percent = 100 * shot.done // shot.total if shot.total else 100
        parts = [f"{shot.done:,}/{shot.total:,}", f"{percent}%"]
    if shot.rate > 0:
        parts.append(pace(shot.rate))
    if shot.ended:
        parts.append(f"in {shot.elapsed:.1f} s" if shot.elapsed < 10 else f"in {duration(shot.elapsed)}")
    elif elapsed or shot.total is None:
        parts.append(f"after {duration(shot.elapsed)}")
    if shot.total is not None and shot.rate > 0 and shot.done < shot.total and not shot.ended:
        parts.append(f"eta {duration((shot.total - shot.done) / shot.rate)}")
    if shot.failed:
        parts.append(f"{shot.failed:,} failed")
    return parts


def compose_line(shot: Snapshot, *, elapsed: bool = False) -> str:
    """``score: 1,200/20,000  6%  400/s  eta 0:47  3 failed``."""
    return (f"{shot.label}: " if shot.label else "") + "  ".join(compose(shot, elapsed=elapsed))


def duration(seconds: float) -> str:
    """``0:47``, ``12:05``, ``3:07:00``, ``2d 03h``."""
    minutes, second = divmod(round(max(0.0, seconds)), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24}d {hours % 24:02}h"
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def pace(rate: float) -> str:
    """``12,400/s``, ``4.2/s``, ``12/min``, ``3.5/h``: the unit in which the number is at least 1."""
    number, unit = (rate, "s") if rate >= 1 else (60 * rate, "min") if 60 * rate >= 1 else (3600 * rate, "h")
    return f"{number:,.1f}/{unit}" if number < 9.95 else f"{number:,.0f}/{unit}"


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """No bar is drawn while this block runs: somebody is asked for a password, on the same terminal perhaps."""
    with _Terminal.choosing:
        _Terminal.asking += 1
        living = [bar for bar in _Terminal.living.values() if not bar.over()]
    try:
        for bar in living:
            bar.hide()
        yield
    finally:
        with _Terminal.choosing:
            _Terminal.asking -= 1


def asking() -> bool:
    """Is somebody being asked for a password? What is typed then is for nobody else."""
    return _Terminal.asking > 0


class _Speed:
    """Calls a second over the last `WINDOW` seconds, from marks (when, how many) set on the way."""

    def __init__(self, now: float) -> None:
        self._marks = deque([(now, 0)])

    def rate(self, done: int, now: float) -> float:
        while len(self._marks) > 1 and self._marks[1][0] <= now - WINDOW:
            self._marks.popleft()
        since, before = self._marks[0]
        if now - self._marks[-1][0] >= WINDOW / 10:  # eleven marks at most
            self._marks.append((now, done))
        return (done - before) / (now - since) if now > since else 0.0


class _Throttle:
    """Says when to draw: first after `first` seconds, then `every` so many after a drawing ended."""

    def __init__(self, first: float, every: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._next = clock() + first

    def due(self) -> bool:
        """True once, to the caller who then draws and calls `rearm`; everybody else goes on working."""
        if self._clock() < self._next:
            return False
        self._next = math.inf
        return True

    def rearm(self) -> None:
        self._next = self._clock() + self._every


class Progress:
    """A progress bar on `stream` (stderr as it is now, if None), drawn as that can show it.

    `total` is None where nobody knows it: then there is no percentage and no ETA. Close the bar, or use it in a
    ``with`` block: that draws the final state and gives the terminal back.
    """

    def __init__(self, total: int | None, label: str = "", *, stream: TextIO | None = None) -> None:
        self._total = total
        self._label = " ".join(label.split())  # a bar has one line
        self._done = self._failed = 0
        self._started = time.monotonic()
        self._speed = _Speed(self._started)
        self._closed = False
        # Both can be taken again by their own thread: a signal handler may close the bar in the middle of either.
        self._counting, self._drawing = RLock(), RLock()
        self._view = _view(self._snapshot, sys.stderr if stream is None else stream)
        self._throttle = _Throttle(self._view.first, self._view.every)

    def advance(self, done: int = 1, failed: int = 0) -> None:
        """`done` more calls have ended, `failed` of them with an error. Any thread may say so, at any pace."""
        with self._counting:
            self._done += done
            self._failed += failed
            due = self._throttle.due()
        if due:
            self._draw()

    def set_total(self, total: int | None) -> None:
        """The number of calls is known now, or has changed."""
        with self._counting:
            self._total = total

    def close(self) -> None:
        """Draw the final state and give the stream back; a second time it does nothing."""
        with self._drawing, contextlib.suppress(*UNDRAWABLE):
            if not self._closed:
                self._closed = True
                self._view.end(self._snapshot(ended=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Progress {compose_line(self._snapshot(ended=self._closed))}>"

    def _draw(self) -> None:
        with self._drawing, contextlib.suppress(*UNDRAWABLE):
            if not self._closed:
                self._view.show(self._snapshot())
                self._throttle.rearm()  # not after a failure: silent from then on

    def _snapshot(self, *, ended: bool = False) -> Snapshot:
        with self._counting:
            now = time.monotonic()
            elapsed = now - self._started
            rate = self._speed.rate(self._done, now)
            if ended and elapsed > 0:  # the last word is the average of the whole job
                rate = self._done / elapsed
            return Snapshot(self._label, self._done, self._total, self._failed, elapsed, rate, ended)


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


class _View:
    first = every = math.inf  # seconds until `show` is called for the first time, and from then on

    def show(self, shot: Snapshot) -> None: ...

    def end(self, shot: Snapshot) -> None:
        self.show(shot)


def _view(snapshot: Callable[[], Snapshot], stream: TextIO) -> _View:
    if stream in (sys.stderr, sys.stdout) and _in_notebook():
        try:
            return _Widget(snapshot())
        except ImportError:
            return _Lines(stream, rewrite=True)
    device = _device(stream)
    if device is None or os.environ.get("TERM") in ("dumb", "unknown"):
        return _Lines(stream)
    with _Terminal.choosing:
        living = _Terminal.living.get(device)
        if living is not None and not living.over():
            return _Lines(cast(TextIO, _Above(stream, living)))
        with contextlib.suppress(*UNDRAWABLE):
            return _Terminal(snapshot, stream, device)
    return _Lines(stream)


def _in_notebook() -> bool:
    """Does ipykernel run this? Asked without importing IPython: where it runs, it is imported."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    return getattr(get_ipython(), "kernel", None) is not None


def _device(stream: TextIO) -> int | None:
    """The number of the terminal device behind `stream`; None for a file, a pipe, or what only says isatty (IDLE)."""
    try:
        number = stream.fileno()
        return os.fstat(number).st_rdev if stream.isatty() and os.isatty(number) else None
    except (AttributeError, *UNDRAWABLE):
        return None


class _Lines(_View):
    """A plain line now and then, or one line rewritten after a carriage return."""

    def __init__(self, stream: TextIO, *, rewrite: bool = False) -> None:
        self.first, self.every = (0.0, REWRITE) if rewrite else (FIRST_LINE, NEXT_LINE)
        self._stream = stream
        self._rewrite = rewrite
        self._width = 0
        # A notebook reads there which cell the output belongs to: the thread that advances may be an older cell's.
        self._cell = contextvars.copy_context()

    def show(self, shot: Snapshot) -> None:
        line = compose_line(shot, elapsed=self._rewrite)
        # One write, so that the lines of several processes stay whole; padded, to cover a longer line.
        text = f"\r{line.ljust(self._width)}" + "\n" * shot.ended if self._rewrite else f"{line}\n"
        self._width = len(line)
        self._cell.copy().run(self._stream.write, text)
        self._stream.flush()


class _Widget(_View):
    first, every = 0.0, REWRITE

    def __init__(self, shot: Snapshot) -> None:
        widgets = importlib.import_module("ipywidgets")
        display = importlib.import_module("IPython.display").display
        self._bar = widgets.IntProgress(description=shot.label)
        self._text = widgets.Label()
        self.show(shot)
        display(widgets.HBox([self._bar, self._text]))

    def show(self, shot: Snapshot) -> None:
        if shot.ended:
            self._bar.bar_style = "danger" if shot.failed else "success"
        self._bar.max = shot.total or 1
        self._bar.value = shot.done if shot.total else int(shot.ended)
        self._text.value = "  ".join(compose(shot, elapsed=True))


class _Terminal(_View):
    """A bar as the last line of a terminal. Its thread asks for the numbers, so `advance` never draws.

    What is printed to stdout and stderr meanwhile goes above it, if it goes to the same terminal.
    """

    choosing = RLock()
    living: ClassVar[dict[int, _Terminal]] = {}  # by device: a terminal has one last line
    asking: ClassVar[int] = 0  # how many want to have the terminal for themselves; see `aside`

    def __init__(self, snapshot: Callable[[], Snapshot], stream: TextIO, device: int) -> None:
        from rich.console import Console
        from rich.live import Live

        self._snapshot, self._stream, self._device = snapshot, stream, device
        self._pid = os.getpid()
        self._closing, self._closed = Event(), False
        self._drawing = RLock()  # so that nothing is drawn behind `hide`
        self._stand_ins: dict[str, _Above] = {}
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
            if printed is not None and _device(printed) == device:
                printed.flush()
                self._stand_ins[name] = _Above(printed, self)
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


class _Above:
    """Stands in for a stream on a terminal where a bar lives: whole lines go above the bar."""

    def __init__(self, stream: TextIO, bar: _Terminal) -> None:
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

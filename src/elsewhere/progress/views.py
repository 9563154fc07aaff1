"""Views of a bar where it is no line of a terminal: plain lines, and a notebook's widget."""

from __future__ import annotations

import contextvars
import importlib
import math
from typing import TextIO

from elsewhere.progress.words import Snapshot, compose, compose_line

__all__ = ["UNDRAWABLE", "Lines", "View", "Widget"]

FIRST_LINE = 2.0  # seconds until the first plain line: a job of ten seconds shows at least two before its last
NEXT_LINE = 5.0  # seconds between plain lines: a log that still tells the pace and is not filled by it
REWRITE = 0.2  # seconds between updates in a notebook: each one is a message to the browser
UNDRAWABLE = (OSError, ValueError)  # a stream that is gone raises EPIPE or EIO, and ValueError once it is closed


class View:
    """Shows snapshots."""

    first = every = math.inf  # seconds until `show` is called for the first time, and from then on

    def show(self, shot: Snapshot) -> None: ...

    def end(self, shot: Snapshot) -> None:
        self.show(shot)


class Lines(View):
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


class Widget(View):
    """A bar of ipywidgets, and its text."""

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

"""The one progress bar: all that draws how far a job is, and nothing here knows what a job is.

::

    advance()  ──counts, and looks at the clock──▶  Throttle  ──a Snapshot, now and then──▶  a view:

    a terminal       Terminal        one Rich line, drawn by a thread of its own 10 times a second
    a notebook       Widget          ipywidgets; without them
                     Lines           one line, rewritten after a carriage return
    a file, a pipe   Lines           a plain line every few seconds; so does a second bar, above the first

    bar         Progress, which counts
    words       what a view shows, as text
    choosing    which view it is
    views       plain lines and a notebook's widget
    terminal    a line of a terminal, what is printed above it, who is asked something there, and colours

`advance` is called for every batch of results, so it adds twice and compares once. What is shown is composed by pure
functions of a `Snapshot`: numbers in, text out. A bar that cannot be drawn (its terminal is gone, its pipe is closed)
goes silent, because no job may fail for the sake of its bar. Rich and ipywidgets are imported when a bar needs them.
"""

from __future__ import annotations

from elsewhere.progress.bar import Progress
from elsewhere.progress.terminal import aside, asking, colours
from elsewhere.progress.words import Snapshot, compose, compose_line, duration, pace

__all__ = ["Progress", "Snapshot", "aside", "asking", "colours", "compose", "compose_line", "duration", "pace"]

"""Which view a bar has, by where it is to be drawn."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import TextIO, cast

from elsewhere.progress.terminal import Above, Terminal, device_of
from elsewhere.progress.views import UNDRAWABLE, Lines, View, Widget
from elsewhere.progress.words import Snapshot

__all__ = ["view"]


def view(snapshot: Callable[[], Snapshot], stream: TextIO) -> View:
    if stream in (sys.stderr, sys.stdout) and in_notebook():
        try:
            return Widget(snapshot())
        except ImportError:
            return Lines(stream, rewrite=True)
    device = device_of(stream)
    if device is None or os.environ.get("TERM") in ("dumb", "unknown"):
        return Lines(stream)
    with Terminal.choosing:
        living = Terminal.living.get(device)
        if living is not None and not living.over():
            return Lines(cast(TextIO, Above(stream, living)))
        with contextlib.suppress(*UNDRAWABLE):
            return Terminal(snapshot, stream, device)
    return Lines(stream)


def in_notebook() -> bool:
    """Does ipykernel run this? Asked without importing IPython: where it runs, it is imported."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    return getattr(get_ipython(), "kernel", None) is not None

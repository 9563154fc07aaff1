"""A word for who waits for a module that does not come to its end, because it is a whole program."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

from elsewhere.cli.ending import say
from elsewhere.cli.function.target import Target

__all__ = ["PATIENCE", "said_if_slow"]

PATIENCE = 10.0  # seconds: the slowest libraries take less to load


@contextlib.contextmanager
def said_if_slow(target: Target) -> Iterator[None]:
    """Say once where the module is, if it is still being loaded after `PATIENCE`."""
    waiting = threading.Timer(PATIENCE, _say, (target, threading.get_ident()))
    waiting.daemon = True
    waiting.start()
    try:
        yield
    finally:
        waiting.cancel()
        waiting.join()


def _say(target: Target, thread: int) -> None:
    frame, line = sys._current_frames().get(thread), None
    while frame is not None:
        names = {frame.f_code.co_filename, frame.f_globals.get("__name__")}
        if frame.f_code.co_name == "<module>" and target.module in names:
            line = frame.f_lineno
        frame = frame.f_back
    where = f", at line {line}" if line is not None else ""
    say(
        f"elsewhere: {target.module} is still being loaded after {PATIENCE:g} s{where}: what it does as a "
        'program belongs under `if __name__ == "__main__":`.'
    )

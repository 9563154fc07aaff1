"""What is typed at our terminal while a command runs goes to that command.

Only what is typed: where standard input is no terminal, it is the program's, and commands read nothing.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator

from elsewhere.fleet.below import Feed
from elsewhere.progress import asking

__all__ = ["typed"]

PIECE = 4096  # bytes
LOOK = 0.05  # seconds until it is looked again whether a password is still asked for


@contextlib.contextmanager
def typed(echo: Callable[[bytes], None] | None = None) -> Iterator[Feed | None]:
    """What a command is to read during this block; None where nobody types.

    Args:
        echo: is given what is typed, too, as the far side shows it only where it has a terminal.
    """
    descriptor = _terminal()
    if descriptor is None:
        yield None
        return
    feed = Feed()
    stop, stopped = os.pipe()
    thread = threading.Thread(
        target=_forward, args=(descriptor, stop, feed, echo), name="elsewhere-fabric-typed", daemon=True
    )
    try:
        with _each_key(descriptor):
            thread.start()
            try:
                yield feed
            finally:
                os.write(stopped, b".")
                thread.join()
    finally:
        os.close(stop)
        os.close(stopped)


def _terminal() -> int | None:
    """Standard input, if somebody types there, and types for us."""
    if threading.current_thread() is not threading.main_thread():
        return None
    try:
        descriptor = sys.stdin.fileno()
        # A job in the background is stopped when it touches the terminal.
        return descriptor if os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp() else None
    except (AttributeError, OSError, ValueError):  # closed, or no file at all, or another session's terminal
        return None


@contextlib.contextmanager
def _each_key(descriptor: int) -> Iterator[None]:
    """The terminal hands over each key at once, and does not show it; Ctrl-C stays what it is."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _forward(descriptor: int, stop: int, feed: Feed, echo: Callable[[bytes], None] | None) -> None:
    while True:
        ready, _, _ = select.select([descriptor, stop], [], [])
        if stop in ready:
            return
        if asking():  # a password, which is neither the command's nor to be shown
            select.select([stop], [], [], LOOK)
            continue
        try:
            data = os.read(descriptor, PIECE)
        except OSError:  # the terminal is gone
            data = b""
        if not data:
            return
        feed.send(data)
        if echo is not None:
            echo(data)

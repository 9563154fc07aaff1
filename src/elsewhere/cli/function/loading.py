"""A module that does not come to its end when it is loaded, because it is a whole program: who waits for it is told."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from elsewhere.cli.ending import WrongUsage, say
from elsewhere.cli.function.target import Target

__all__ = ["PATIENCE", "loading"]

SERVICE = "elsewhere.rpc.service"
PATIENCE = 10.0  # seconds: the slowest libraries take less to load


@contextlib.contextmanager
def loading(target: Target) -> Iterator[None]:
    """For as long as the target's module is loaded.

    Raises:
        WrongUsage: it serves by itself, and would never give back what is wanted of it.
    """
    with _said_if_slow(target), _not_serving(target):
        yield


@contextlib.contextmanager
def _not_serving(target: Target) -> Iterator[None]:
    # Services take longer to import than all of `map`: only where one may come, or is wanted anyway.
    if SERVICE not in sys.modules and b"serve(" not in _text(target):
        yield
        return
    from elsewhere.rpc import Service

    own = Service.serve

    def refuse(*_args: Any, **_options: Any) -> int:
        raise WrongUsage(
            f"{target.module} serves by itself while it is loaded: run it with python, or put what calls serve(...) "
            'under `if __name__ == "__main__":`.'
        )

    Service.serve = refuse  # type: ignore[method-assign]  # for as long as a module is loaded, and in this process
    try:
        yield
    finally:
        Service.serve = own  # type: ignore[method-assign]  # as it was


def _text(target: Target) -> bytes:
    """Of a file that is named, or of a module in this folder."""
    path = target.module if target.is_file else target.module.replace(".", os.sep) + ".py"
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.read()
    return b""


@contextlib.contextmanager
def _said_if_slow(target: Target) -> Iterator[None]:
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

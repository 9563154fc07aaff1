"""What runs in a worker process: one thread that serves calls until its pool hangs up.

Rule: a worker decides nothing. It runs the calls it holds in order, makes each answer durable before it begins the next
call, and rings when its queue is empty or the oldest answer is 0.2 ms old.

::

    enter ─> Channel.receive ─> RUN ─> Loop.run ── each call: STARTED word, fn(...), answer on the page ──> bell
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import pickle
import signal
import socket
import sys
from typing import Any, NoReturn

from elsewhere.runtime.page import Page
from elsewhere.runtime.worker.channel import Channel
from elsewhere.runtime.worker.loop import Loop
from elsewhere.runtime.worker.surroundings import apply_surroundings, fresh_main
from elsewhere.sansio.frames import Reply

__all__ = ["enter"]


def enter(fds: list[int], inherited: object = None) -> NoReturn:
    """Serve the pool at the other end of ``fds[0]``.

    Its page is ``fds[1]``, the socket for blocks of shared memory ``fds[2]``; the rest are the initializer's.
    """
    code = 1
    try:
        code = _serve(fds, inherited)
    finally:
        os._exit(code)  # never back into the fork server, or the caller's own code after a fork


def _serve(fds: list[int], inherited: Any) -> int:
    atexit._clear()  # what a forked caller registered is the caller's
    signal.signal(signal.SIGINT, _ignore)  # a handler, not SIG_IGN, which programs started by a call would inherit
    if inherited is None:
        fresh_main()
    sock = socket.socket(fileno=fds[0])
    page = Page(fds[1])
    os.close(fds[1])
    loop = Loop(Channel(sock, page, fds[2]))
    signal.signal(signal.SIGURG, loop.on_urgent)
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
    sys.breakpointhook = _no_breakpoint
    if not _start(loop, fds[3:], inherited):
        return 1
    loop.serve()
    _leave(loop)
    return 0


def _start(loop: Loop, fds: list[int], inherited: Any) -> bool:
    """Take over the caller's surroundings and run the initializer."""
    setup = loop.first_frame()
    if setup is None:
        return False
    try:
        surroundings = pickle.loads(setup)
        apply_surroundings(surroundings)
        loop.channel.workers = surroundings["workers"]
        loop.adopt_streams()
        initializer, initargs = loop.initializer(surroundings, fds, inherited)
        if initializer is not None:
            initializer(*initargs)
    except BaseException as error:
        loop.finish_output()
        loop.channel.send(Reply.FAILED, 0, loop.envelope(error, "initializer", ()))
        return False
    loop.finish_output()
    loop.channel.send(Reply.READY)
    return True


def _leave(loop: Loop) -> None:
    """An orderly end: what calls registered with atexit runs, and its output arrives."""
    try:
        process = sys.modules.get("multiprocessing.util")
        if process is not None:
            process._exit_function()
        atexit._run_exitfuncs()
    finally:
        loop.finish_output()
        loop.close()


def _ignore(signum: int, frame: object) -> None:
    """Ctrl-C is the caller's to answer: it stops the pool."""


def _no_breakpoint(*args: Any, **kwargs: Any) -> NoReturn:
    raise RuntimeError('breakpoint() has no terminal in a worker process: make the pool with where="inline" to debug')

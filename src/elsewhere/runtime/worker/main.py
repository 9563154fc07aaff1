"""What runs in a worker process: one thread that serves calls until its pool hangs up.

Rule: a worker decides nothing. It runs the calls it holds in order, makes each answer durable before it begins the next
call, and rings when its queue is empty, or half used up, or the oldest answer is half a millisecond old (4 ms in an
imap, 16 ms in a map).

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
import threading
from typing import Any, NoReturn

from elsewhere.runtime.page import STARTED, Page
from elsewhere.runtime.worker.channel import Channel
from elsewhere.runtime.worker.loop import Loop
from elsewhere.runtime.worker.memory import too_much
from elsewhere.runtime.worker.streams.logs import relay_logs, relay_warnings
from elsewhere.runtime.worker.surroundings import apply_surroundings, fresh_main, save_coverage
from elsewhere.sansio.frames import Reply

__all__ = ["enter"]

THREADS_PATIENCE = 5.0  # seconds that a worker which leaves waits for threads that its calls have left running


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
    signal.signal(signal.SIGINT, _ignore)  # a handler, not SIG_IGN, which programs started by a call would inherit
    if inherited is None:
        fresh_main()
    else:
        atexit._clear()  # what the caller registered is the caller's; what preloaded modules did is each worker's
        processes = sys.modules.get("multiprocessing.process")
        if processes is not None:
            processes._children = set()  # type: ignore[attr-defined]  # the caller's: a leaving worker must not end or await them
    sock = socket.socket(fileno=fds[0])
    page = Page(fds[1])
    os.close(fds[1])
    loop = Loop(Channel(sock, page, fds[2]))
    os.register_at_fork(after_in_child=loop.forked)
    signal.signal(signal.SIGURG, loop.on_urgent)
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
    sys.breakpointhook = _no_breakpoint
    if not _start(loop, fds[3:], inherited):
        return 1
    loop.serve()
    _leave(loop, forked=inherited is not None)
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
        relay_warnings(loop.send_log)
        relay_logs(loop.send_log, surroundings["levels"], inherited=inherited is not None)
        if (limit := surroundings["max_memory"]) is not None:
            loop.channel.weigh = too_much(limit, lambda: loop.channel.words[STARTED])
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


def _leave(loop: Loop, *, forked: bool) -> None:
    """An orderly end, as an interpreter's: threads are waited for, what was registered with atexit runs, and the output
    of both arrives.
    """
    try:
        _join_threads()
        process = sys.modules.get("multiprocessing.util")
        if process is not None:
            process._exit_function()
    except BaseException:  # a finalizer of the user's
        sys.excepthook(*sys.exc_info())
    try:
        atexit._run_exitfuncs()
        if forked:
            save_coverage()
    finally:
        loop.finish_output()
        loop.close()


def _join_threads() -> None:
    """Wait for the threads that are not daemons; with a bound, so that one which never ends cannot hold the pool up.

    An interpreter does it without: but who leaves the pool is not who has started the thread. It is done in a thread,
    since executors join theirs in functions that they have registered with `threading`.
    """
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    if all(thread.daemon for thread in others) and "concurrent.futures.thread" not in sys.modules:
        return
    joiner = threading.Thread(target=_end_threads, name="elsewhere-exit", daemon=True)
    joiner.start()
    joiner.join(THREADS_PATIENCE)
    if joiner.is_alive():
        names = ", ".join(repr(thread.name) for thread in others if not thread.daemon and thread.is_alive())
        sys.stderr.write(
            f"elsewhere: worker {os.getpid()} leaves although threads of its calls have not ended in "
            f"{THREADS_PATIENCE:g} s{': ' * bool(names)}{names}\n"
        )


def _end_threads() -> None:
    """As `threading._shutdown`, which would wait for the main thread if another called it."""
    for function in reversed(getattr(threading, "_threading_atexits", ())):
        function()
    own = (threading.main_thread(), threading.current_thread())
    while left := [thread for thread in threading.enumerate() if not thread.daemon and thread not in own]:
        for thread in left:  # which may start others meanwhile
            thread.join()


def _ignore(signum: int, frame: object) -> None:
    """Ctrl-C is the caller's to answer: it stops the pool."""


def _no_breakpoint(*args: Any, **kwargs: Any) -> NoReturn:
    raise RuntimeError('breakpoint() has no terminal in a worker process: make the pool with where="inline" to debug')

"""How a far worker starts and ends."""

from __future__ import annotations

import _thread
import atexit
import faulthandler
import os
import pickle
import signal
import sys
import threading
from types import ModuleType
from typing import Any, NoReturn

from . import answers, names
from .answers import envelope
from .calls import Worker
from .finder import Modules
from .ledger import Run
from .line import THREADS_PATIENCE, complain
from .output import Output, Relay, relay_warnings
from .wire import FAILED, HELLO, READY, SETUP, SHARE, STDERR, STDOUT

THREAD_COUNTS = "OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA"


def main(modules: Modules) -> NoReturn:
    """Serve the caller at the other end of stdin and stdout; what else is printed goes to stderr."""
    code = 1
    try:
        worker = Worker(os.dup(0), os.dup(1), modules)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        fresh = sys.modules["__main__"] = ModuleType("__main__")
        fresh.__dict__["__builtins__"] = __builtins__
        names.adopt(fresh.__dict__)
        os.register_at_fork(after_in_child=worker.in_fork)
        faulthandler.enable(STDERR)
        signal.signal(signal.SIGURG, worker.on_urgent)
        names.want = worker.want
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the caller's to answer
        sys.breakpointhook = no_breakpoint
        _thread.start_new_thread(worker.watch, ())
        if start(worker):
            worker.serve()
            leave(worker)
            code = 0
    except BaseException:
        complain("it ends by a mistake of its own")
        sys.excepthook(*sys.exc_info())
        for output in sys.stdout, sys.stderr:
            output.flush()
    finally:
        os._exit(code)


def start(worker: Worker) -> bool:
    """Greet, take the setup and run the initializer; False if that cannot be."""
    worker.send(HELLO, hello())
    first = worker.next()
    while first and not isinstance(first, Run) and first[0] == SHARE:  # the initializer may refer to it
        worker.obey(*first)
        first = worker.next()
    if not first or isinstance(first, Run) or first[0] != SETUP:
        if not worker.gone:
            complain("it ends, as what came first is no setup")
        return False
    try:
        adopt(worker, pickle.loads(first[2]))
    except BaseException as error:
        worker.finish_output()
        worker.send(FAILED, envelope(error, "initializer", (), {}, 0.0))
        return False
    worker.finish_output()
    worker.send(READY)
    return True


def adopt(worker: Worker, given: dict[str, Any]) -> None:
    """Become what the caller wants.

    Args:
        worker: who.
        given: what a SETUP holds; each of these may be missing. ``caller``: its Python's version as (3, 11);
            ``cores``: to be used by ``workers`` together, 0 for those of the machine; ``stdlib``: names of modules
            that are never asked for; ``levels``: of its loggers; ``initializer``: a body of (function, arguments).
    """
    answers.caller = worker.modules.caller = given.get("caller")
    hold(given.get("cores") or cores(), given.get("workers") or 1)
    worker.modules.ask = worker.ask
    worker.modules.never.update(given.get("stdlib") or ())
    worker.outputs = [Output(STDOUT, worker.print), Output(STDERR, worker.print)]
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = worker.outputs  # type: ignore[assignment, misc]  # TextIOs in all that matters
    relay_warnings(worker.log)
    Relay(worker.log, given.get("levels") or {})
    if given.get("initializer") is not None:
        initializer, initargs = worker.load(given["initializer"])
        initializer(*initargs)


def hello() -> bytes:
    """What the caller is told first."""
    import json

    told = {"version": list(sys.version_info[:3]), "implementation": sys.implementation.name, "pid": os.getpid()}
    told.update(cores=cores(), platform=sys.platform, executable=sys.executable)
    return json.dumps(told).encode()


def cores() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def hold(total: int, workers: int) -> None:
    """One budget of cores for all workers of a machine, told to what calls use and start, if the host says nothing."""
    share = str(max(1, total // workers))
    os.environ["ELSEWHERE_CPUS"] = share
    for name in (*(f"{name}_NUM_THREADS" for name in THREAD_COUNTS), "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, share)


def no_breakpoint(*args: Any, **kwargs: Any) -> NoReturn:
    """For `sys.breakpointhook`."""
    raise RuntimeError("breakpoint() has no terminal on another machine")


# ---- the end ---------------------------------------------------------------------------------------------------------


def leave(worker: Worker) -> None:
    """An orderly end, as an interpreter's: threads are waited for, what was registered with atexit runs."""
    try:
        join_threads()
        if worker.loop is not None:
            worker.loop.close()
        atexit._run_exitfuncs()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        worker.finish_output()
    if worker.gone and os.getpgrp() == os.getpid():  # the programs that calls have started end, too
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)


def join_threads() -> None:
    """Wait for the threads that are not daemons; in a thread, since one that never ends must not hold the caller up."""
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    if all(thread.daemon for thread in others) and "concurrent.futures.thread" not in sys.modules:
        return
    joiner = threading.Thread(target=end_threads, name="elsewhere-exit", daemon=True)
    joiner.start()
    joiner.join(THREADS_PATIENCE)
    if joiner.is_alive():
        names = ", ".join(repr(thread.name) for thread in others if not thread.daemon and thread.is_alive())
        complain(f"it leaves although threads of its calls have not ended in {THREADS_PATIENCE:g} s: {names}")


def end_threads() -> None:
    """As `threading._shutdown`, which would wait for the main thread if another called it."""
    for function in reversed(list(getattr(threading, "_threading_atexits", ()))):
        function()
    mine = threading.main_thread(), threading.current_thread()
    while True:
        left = [thread for thread in threading.enumerate() if not thread.daemon and thread not in mine]
        if not left:
            return
        for thread in left:  # which may start others meanwhile
            thread.join()

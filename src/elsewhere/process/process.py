"""`Process`: multiprocessing's, started by our fork server, with a result.

Rule: the standard library's class decides everything that it can; here is only what it lacks.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping
from multiprocessing.process import BaseProcess
from typing import Any

from elsewhere.errors import WorkerLost, describe_exit
from elsewhere.process import defaults, popen
from elsewhere.process.answer import readable
from elsewhere.process.tree import signal_tree

__all__ = ["ForkProcess", "ForkserverProcess", "Process", "SpawnProcess"]


class Process(BaseProcess):
    """A function, or a subclass's `run`, in a process of its own.

    All of `multiprocessing.Process` holds. The target, its arguments, and the class itself may also be what cannot be
    imported: lambdas, closures, and what ``__main__`` defines, which is never run again. What it prints goes to this
    process's stdout and stderr. A daemon ends with the process that has started it, also when that is killed; another
    goes on then, as multiprocessing's do, and sees that its ``parent_process()`` is not alive.

    Args:
        group: None; it is there because `threading.Thread` has it.
        target: called with `args` and `kwargs`; a coroutine function is awaited.
        name: how it is called; ``Process-1`` and so on by default.
        args: positional arguments.
        kwargs: keyword arguments.
        daemon: end it when this process ends, instead of waiting for it; such a process starts no others. By default
            what the process that makes it is.

    Raises:
        TypeError: the target cannot be called.
    """

    _start_method: str | None = None
    _called: str | None = None  # what its run is called in notes
    _forked = False  # is it a copy of its parent?
    _outlives = True  # does it go on when its parent is killed, unless it is a daemon?
    _quiet = False  # is an error told by the result alone, and not printed too?

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] = {},
        *,
        daemon: bool | None = None,
    ) -> None:
        if target is not None and not callable(target):
            raise TypeError(f"target is a function to be called in the process, not {target!r}")
        super().__init__(group, target, name, args, kwargs, daemon=daemon)

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802 - the standard library's name
        return popen.open_popen(process_obj)

    def _after_fork(self) -> None:
        """Nothing to clean up but in a copy: what was unpickled a moment ago belongs to this process."""
        if self._forked:
            BaseProcess._after_fork()  # type: ignore[attr-defined]  # not in the stubs

    def _bootstrap(self, *args: Any, **kwargs: Any) -> Any:
        """What the new process does; one that a context has started starts others in the same way, as there."""
        if self._start_method is not None:
            defaults.set_start_method(self._start_method, force=True)
        return super()._bootstrap(*args, **kwargs)  # type: ignore[misc]  # not in the stubs

    def run(self) -> Any:
        """What the process does; its value is what `result` gives. A subclass may have its own."""
        target = self._target  # type: ignore[attr-defined]  # not in the stubs
        return target(*self._args, **self._kwargs) if target else None  # type: ignore[attr-defined]  # as above

    def result(self, timeout: float | None = None) -> Any:
        """The value of the target, or of `run`, as soon as it is there; the process may need a moment more to end.

        Args:
            timeout: seconds to wait; None to wait as long as it takes.

        Raises:
            Exception: what the target raised, with the traceback from there.
            WorkerLost: the process has ended without a result: it was killed, or called `sys.exit`.
            TimeoutError: it takes longer than `timeout`; the process goes on.
            ValueError: the process was not started, not by this process, or is closed.
        """
        started = self._started("result")
        outcome = started.ear.outcome(started.sentinel, started.pid, timeout)
        if outcome is None:
            # Where it has ended, wait for its exit code: a fork's sentinel tells a moment before it can be reaped.
            code = started.wait(None if readable(started.sentinel) else 0)
            if code is None:
                raise TimeoutError(f"{self.name} has no result after {timeout} s; it goes on")
            raise WorkerLost(
                f"process {started.pid} ({self.name}) {describe_exit(code)} before {started.ear.name} had a result",
                exitcode=code,
                pid=started.pid,
                call=started.ear.name,
            )
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def terminate(self, *, tree: bool = False) -> None:
        """Send it SIGTERM; with `tree`, also to the processes that it has started, and to theirs."""
        self._signal(signal.SIGTERM, tree)

    def kill(self, *, tree: bool = False) -> None:
        """Send it SIGKILL; with `tree`, also to the processes that it has started, and to theirs."""
        self._signal(signal.SIGKILL, tree)

    def _signal(self, signum: int, tree: bool) -> None:
        if not tree:
            self._check_closed()  # type: ignore[attr-defined]  # not in the stubs
            self._popen.send_signal(signum)  # type: ignore[attr-defined]  # as above; None before start, as there
            return
        started = self._started("terminate")
        if started.poll() is None:
            signal_tree(started.pid, signum)

    def _started(self, verb: str) -> Any:
        self._check_closed()  # type: ignore[attr-defined]  # not in the stubs
        started = self._popen  # type: ignore[attr-defined]  # as above
        if started is None:
            raise ValueError(f"{self.name} was not started: call start() before {verb}()")
        if self._parent_pid != os.getpid():  # type: ignore[attr-defined]  # as above
            raise ValueError(f"{self.name} is another process's child: only that one can ask for its {verb}()")
        return started


class ForkserverProcess(Process):
    """A process that the fork server forks."""

    _start_method = "forkserver"


class SpawnProcess(Process):
    """A process that is a fresh interpreter."""

    _start_method = "spawn"


class ForkProcess(Process):
    """A process that is a copy of this one, as multiprocessing's are under "fork"."""

    _start_method = "fork"

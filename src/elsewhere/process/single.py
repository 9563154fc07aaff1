"""`call`: one call in a fresh process, with limits that the process does not survive.

Rule: whichever way it ends, nothing of it is left when `call` returns, and an error names the limit that was hit.

===============  =====================================================================================================
limit            how it is held
===============  =====================================================================================================
``timeout``      the caller waits so long, and kills the process with all that it has started
``memory``       the caller looks every 10 ms at what is resident and not shared, as a pool does for ``max_memory``.
                 Not RLIMIT_AS: that counts what is merely reserved (threads, NumPy and large maps reserve gigabytes
                 that they never touch), and shows as a MemoryError that the function may swallow. What grows and
                 shrinks again between two looks is not seen; nor is what child processes take.
``cpu_seconds``  RLIMIT_CPU, which the kernel counts in whole seconds: a fraction is rounded up. Child processes are
                 counted each by itself.
===============  =====================================================================================================
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from elsewhere.call import Options, describe_call, function_name
from elsewhere.errors import CallTimeout, LimitExceeded, WorkerLost
from elsewhere.process.process import Process
from elsewhere.process.tree import signal_tree

__all__ = ["NO_LIMITS", "Limits", "call", "call_within"]

T = TypeVar("T")

LOOK = 0.01  # seconds between two looks at the memory; each takes some 10 µs
PATIENCE = 5.0  # seconds for a process that has answered to end: its threads, its atexit


class Limits(NamedTuple):
    """What one call may use.

    Args:
        memory: bytes, resident and not shared.
        cpu_seconds: seconds of processor time.
    """

    memory: int | None = None
    cpu_seconds: float | None = None

    @classmethod
    def of(cls, memory: Any = None, cpu_seconds: Any = None) -> Limits:
        """Checked limits from what a user gave."""
        if memory is not None:
            if not isinstance(memory, int) or isinstance(memory, bool):
                raise TypeError(f"memory is a whole number of bytes, not {memory!r}")
            if memory <= 0:
                raise ValueError(f"memory is more than 0 bytes, not {memory}")
            if sys.platform != "linux":
                raise ValueError("memory= needs Linux, where a process's memory can be read in /proc")
        if cpu_seconds is not None:
            if not isinstance(cpu_seconds, int | float) or isinstance(cpu_seconds, bool):
                raise TypeError(f"cpu_seconds is a number of seconds, not {cpu_seconds!r}")
            if not 0 < cpu_seconds < math.inf:
                raise ValueError(f"cpu_seconds is more than 0 and no infinity, not {cpu_seconds!r}")
        return cls(memory, cpu_seconds)


NO_LIMITS = Limits()


def call(fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """``fn(*args, **kwargs)`` in a fresh process, which has ended when this returns.

    Limits, repeats and a name are given by ``elsewhere.options(timeout=, memory=, cpu_seconds=).call(fn, ...)``.

    Raises:
        TypeError: `fn` cannot be called.
        Exception: what the function raised, with the traceback from there; or what pickling an argument raised.
        WorkerLost: its process has ended without a result.
    """
    return call_within(Options(), NO_LIMITS, fn, args, kwargs)


def call_within(
    options: Options, limits: Limits, fn: Callable[..., T], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> T:
    """The call with its options, repeated as they say."""
    if not callable(fn):
        raise TypeError(f"call() takes a function and its arguments, and {fn!r} cannot be called")
    failures = 0
    while True:
        try:
            value: T = _once(options, limits, fn, args, kwargs)
        except BaseException as error:
            failures += 1
            if options.retry is None or not options.retry.wants(error, failures):
                raise
            pause = options.retry.delay(failures)
        else:
            return value
        time.sleep(pause)


class _CallProcess(Process):
    """Its process."""

    _quiet = True  # the caller raises it
    _outlives = False  # nobody else is to have its answer, nor looks at its limits
    cpu_seconds: float | None = None

    def run(self) -> Any:
        if self.cpu_seconds is not None:
            import resource

            seconds = math.ceil(self.cpu_seconds)
            _, hardest = resource.getrlimit(resource.RLIMIT_CPU)
            signal.signal(signal.SIGXCPU, signal.SIG_DFL)
            if hardest == resource.RLIM_INFINITY or seconds < hardest:
                # One second more for a function that catches the signal; then the kernel kills.
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        return super().run()


def _once(options: Options, limits: Limits, fn: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    name = options.name or function_name(fn)
    process = _CallProcess(target=fn, args=args, kwargs=kwargs, name=name)
    process._called = name
    process.cpu_seconds = limits.cpu_seconds
    process.start()
    started: Any = process._popen  # type: ignore[attr-defined]  # not in the stubs
    text = describe_call(name, args, dict(kwargs))
    try:
        _wait(started, options.timeout, limits, text)
        try:
            return process.result()
        except WorkerLost as error:
            if error.exitcode == -signal.SIGXCPU and limits.cpu_seconds is not None:
                raise _exceeded(started, "cpu_seconds", f"{limits.cpu_seconds:g} s of processor time", text) from None
            raise
    finally:
        _end(process, started)


def _wait(started: Any, timeout: float | None, limits: Limits, text: str) -> None:
    """Return when there is an answer or the process has ended."""
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        look = min(left, math.inf if limits.memory is None else LOOK)
        if started.ear.outcome(started.sentinel, started.pid, None if look == math.inf else max(0.0, look)):
            return
        if started.wait(0) is not None:
            return
        if left <= 0.0:
            raise CallTimeout(f"{text} ran longer than its timeout of {timeout:g} s, and was killed")
        if limits.memory is not None and (used := _resident(started.pid)) > limits.memory:
            raise _exceeded(started, "memory", f"{limits.memory:,} bytes of memory (it had {used:,})", text)


def _exceeded(started: Any, limit: str, amount: str, text: str) -> LimitExceeded:
    if started.returncode is None:
        signal_tree(started.pid, signal.SIGKILL)
        started.wait()
    return LimitExceeded(
        f"{text} took more than its {limit}= of {amount}, and was killed",
        limit=limit,
        exitcode=started.returncode,
        pid=started.pid,
        call=text,
    )


def _end(process: Process, started: Any) -> None:
    """Leave nothing: one that has answered may end in order, anything else is killed with what it has started."""
    if started.ear.answered:
        process.join(PATIENCE)
    if process.is_alive():
        process.kill(tree=True)
    process.join()
    process.close()


def _resident(pid: int) -> int:
    """Bytes, resident less shared; 0 once it has ended."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            fields = file.read().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")

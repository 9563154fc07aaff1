"""The functions that the tests of the drop-in call, in a module that workers can import."""

from __future__ import annotations

import os
import signal

from joblib import Parallel, delayed, parallel

from elsewhere import WorkerStartError
from tests.contract.work import Gate


def square(x: int) -> int:
    return x * x


def fail(x: int) -> None:
    raise Custom(x)


def fail_to_start(_: object) -> None:
    raise WorkerStartError("a pool of the function's own")


class Custom(Exception):
    pass


def pid(_: object = None) -> int:
    return os.getpid()


def die(_: object = None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupted(_: object) -> None:
    raise KeyboardInterrupt


def variable(name: str) -> str | None:
    return os.environ.get(name)


def note(gate: Gate, name: object) -> None:
    gate.note("initialized", name)


def threads_of_numpy() -> tuple[int, ...]:
    """How many threads the libraries under NumPy may use; () if this NumPy has none that says so."""
    import numpy as np
    import threadpoolctl

    assert np.ones((200, 200)).dot(np.ones(200)).sum() == 40_000
    return tuple(sorted({library["num_threads"] for library in threadpoolctl.threadpool_info()}))


def nested(n: int) -> tuple[str, list[int]]:
    """What a Parallel inside a call runs on by default, and one on our backend."""
    inner = type(parallel.get_active_backend()[0]).__name__
    return inner, Parallel(n_jobs=2, backend="elsewhere")(delayed(square)(x) for x in range(n))

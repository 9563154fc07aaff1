"""The functions that the tests of this folder call in workers."""

from __future__ import annotations

import os
import random
import sys
import threading
import warnings
from typing import Any

from tests.contract.work import Custom

state: dict[str, Any] = {}


def square(x: int) -> int:
    return x * x


def pid(_: Any = None) -> int:
    return os.getpid()


def parent(_: Any = None) -> int:
    return os.getppid()


def fail_in_initializer(message: str) -> None:
    raise Custom(message)


def set_state(name: str, value: Any) -> None:
    state[name] = value


def get_state(name: str) -> Any:
    return state.get(name)


def surroundings(_: Any = None) -> dict[str, Any]:
    umask = os.umask(0)
    os.umask(umask)
    return {
        "variable": os.environ.get("ELSEWHERE_TEST"),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "argv": list(sys.argv),
        "umask": umask,
        "main": sorted(vars(sys.modules["__main__"])),
        "threads": threading.active_count(),
    }


def warn_deprecated(_: Any = None) -> str:
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.warn("old", DeprecationWarning, stacklevel=1)
    except DeprecationWarning:
        return "raised"
    return "shown" if caught else "ignored"


def randoms(_: Any = None) -> tuple[int, float]:
    return os.getpid(), random.random()


def numpy_randoms(_: Any = None) -> tuple[int, float]:
    import numpy as np

    return os.getpid(), float(np.random.random())


def is_loaded(name: str) -> bool:
    return name in sys.modules


def use_lock(lock: Any, value: Any, queue: Any) -> None:
    state.update(lock=lock, value=value, queue=queue)


def add_under_lock(amount: int) -> int:
    with state["lock"]:
        before = state["value"].value
        state["value"].value = before + amount
    state["queue"].put(os.getpid())
    return before


def nested(n: int) -> list[int]:
    from elsewhere import Pool

    with Pool(2) as pool:
        return pool.map(square, range(n))


def nested_shared(n: int) -> list[int]:
    import elsewhere

    try:
        return elsewhere.map(square, range(n))
    finally:
        from elsewhere.pool import shared

        shared.shutdown()

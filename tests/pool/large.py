"""The functions that `test_large_data` calls in workers."""

from __future__ import annotations

import os
import signal
from typing import Any

kept: list[Any] = []
loaded = [0]


def identity(value: Any) -> Any:
    return value


def describe(*values: Any) -> list[Any]:
    return [(type(value).__name__, getattr(getattr(value, "flags", None), "writeable", None)) for value in values]


def add_one(array: Any) -> Any:
    array += 1
    return array


def total(array: Any, _: Any = None) -> float:
    return float(array.sum())


def keep(array: Any) -> int:
    kept.append(array)
    return len(kept)


def kept_sums(_: Any = None) -> list[float]:
    return [float(array.sum()) for array in kept]


def let_go(_: Any = None) -> None:
    kept.clear()


def ones(count: int) -> Any:
    import numpy as np

    return np.ones(count)


def filled(value: int, count: int = 20_000) -> Any:
    import numpy as np

    return np.full(count, value)


def many(count: int, size: int) -> Any:
    return [filled(index, size) for index in range(count)]


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_if(array: Any) -> float:
    if array[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return float(array.sum())


class DiesWhenSent:
    """Kills its worker in the middle of a reply: a large buffer has been taken by then."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __reduce__(self) -> Any:
        return list, ([self.array, _Last()],)


class _Last:
    def __reduce__(self) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)
        return _Last, ()


def reply_and_die(count: int) -> Any:
    return DiesWhenSent(ones(count))


class Counted:
    """Counts in each process how often it was unpickled."""

    def __init__(self, array: Any = None) -> None:
        self.array = array

    def __setstate__(self, state: Any) -> None:
        loaded[0] += 1
        self.__dict__.update(state)


def use(constant: Any, _: Any = None) -> tuple[int, int, int, bool | None]:
    """Process, times it was loaded there, identity, and whether its array can be written to."""
    array = constant.array
    return os.getpid(), loaded[0], id(constant), None if array is None else array.flags.writeable


def use_swapped(_: Any, constant: Any) -> tuple[int, int, int, bool | None]:
    return use(constant)


def kept_tokens(_: Any = None) -> int:
    from elsewhere.runtime.memory import sharing

    return len(sharing._kept)


def limit_memory(available: int) -> None:
    """Let this process believe that it has so much memory left."""
    from elsewhere.runtime.memory import headroom

    class Low(headroom.Headroom):
        def available(self) -> int:
            return available

    headroom._headroom = Low()


def descriptors(_: Any = None) -> int:
    return len(os.listdir("/proc/self/fd"))


def block_maps(_: Any = None) -> int:
    with open("/proc/self/maps") as file:
        return sum("memfd:elsewhere-block" in line for line in file)

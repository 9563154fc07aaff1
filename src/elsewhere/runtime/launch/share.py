"""The share of the cores that is one worker's: for the pools it makes, and for the threads of its BLAS and OpenMP.

Rule: one budget for the machine. A worker of `n` may keep ``max(1, cores // n)`` cores busy; a pool it makes without a
number has so many workers, which share that again. What the user has set is not touched.

The share is told by the environment, so that programs started by a call keep to it too. These variables are the only
ones that differ from the caller's; `callers_environ` takes them out again, for a pool that is made inside a worker.
"""

import contextlib
import os
import sys
from collections.abc import Mapping

__all__ = ["CPUS", "THREAD_COUNTS", "asked", "callers_environ", "hold"]

CPUS = "ELSEWHERE_CPUS"  # a user may set it, too

THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)

_ours: dict[str, str] = {}  # in a worker: what was set here, and not by the caller
_hidden: str | None = None  # in a worker: what the caller had in CPUS


def asked() -> int | None:
    """The number of cores that the environment names, if it does.

    Raises:
        ValueError: it is no whole number from 1 up.
    """
    text = os.environ.get(CPUS, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f"the environment variable {CPUS} is a whole number from 1 up, not {text!r}")
    return int(text)


def callers_environ() -> dict[str, str]:
    """The environment, without what `hold` has put there."""
    found = {name: value for name, value in os.environ.items() if _ours.get(name) != value}
    if _hidden is not None and CPUS not in found:
        found[CPUS] = _hidden
    return found


def hold(cores: int, environ: Mapping[str, str]) -> None:
    """In a worker whose environment is the caller's: keep to so many cores, before the user's modules are imported."""
    global _hidden
    _ours.clear()
    _hidden = environ.get(CPUS)
    theirs = [name for name in THREAD_COUNTS if name in environ]
    for name in (CPUS, *(name for name in THREAD_COUNTS if name not in environ)):
        os.environ[name] = _ours[name] = str(cores)
    if not theirs and ("numpy" in sys.modules or "threadpoolctl" in sys.modules):
        _hold_what_is_loaded(cores)


def _hold_what_is_loaded(cores: int) -> None:
    """Libraries that came with a fork, or by `preload`, have read the environment already."""
    before = {*os.environ}
    with contextlib.suppress(Exception):  # it is no dependency of ours, and what it finds are foreign libraries
        import threadpoolctl

        threadpoolctl.threadpool_limits(cores)
    for name in {*os.environ} - before:  # it sets one as it is imported, and the caller may have no such
        del os.environ[name]

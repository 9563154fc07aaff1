"""A joblib backend: ``Parallel``, and with it scikit-learn, on elsewhere's `Pool`.

Rule: a drop-in uses only public names of the pool. This module and `worker` import no joblib, which a worker imports
only after its environment is set.

::

    import elsewhere.joblib, joblib

    elsewhere.joblib.register()
    with joblib.parallel_config("elsewhere", n_jobs=2):
        joblib.Parallel()(joblib.delayed(score)(path) for path in paths)
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from elsewhere.joblib.backend import ElsewhereBackend, WorkerTerminated

__all__ = ["ElsewhereBackend", "WorkerTerminated", "register", "shutdown"]

NAME = "elsewhere"


def register(default: bool = False) -> None:
    """Make the backend "elsewhere" known to joblib; doing it again changes nothing.

    Args:
        default: use it wherever no backend is named, in place of loky.

    Raises:
        ImportError: joblib is not installed, or older than 1.4.
    """
    from elsewhere.joblib.backend import ElsewhereBackend, register_parallel_backend

    register_parallel_backend(NAME, ElsewhereBackend, make_default=default)


def shutdown() -> None:
    """End the pools that are kept between calls of ``Parallel``, and what runs on them; the next call makes another."""
    from elsewhere.joblib import kept

    kept.shutdown()


def __getattr__(name: str) -> object:
    if name in ("ElsewhereBackend", "WorkerTerminated"):
        from elsewhere.joblib import backend

        return getattr(backend, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

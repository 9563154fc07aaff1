"""What runs in the workers: the start that sets their environment, and one batch of calls.

Rule: imports nothing that may load NumPy, whose libraries read the environment once, when they are loaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from elsewhere.joblib import register

__all__ = ["Environment", "run_batch", "start"]

_registered = False


class Environment(dict[str, str]):
    """Environment variables that are set where this is unpickled, before what stands behind it is unpickled."""

    def __reduce__(self) -> Any:
        return _set, (dict(self),)


def _set(variables: dict[str, str]) -> Environment:
    os.environ.update(variables)
    return Environment(variables)


def start(environment: Environment, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
    """A worker's initializer: the environment, where forking brought it here unpickled, and the user's initializer."""
    os.environ.update(environment)
    if initializer is not None:
        initializer(*initargs)


def run_batch(batch: Callable[[], Any]) -> Any:
    """Run joblib's batch; a ``Parallel`` in it may name our backend, too."""
    global _registered
    if not _registered:
        register()
        _registered = True
    return batch()

"""The interpreter of all contestants, of Dask's scheduler and of its workers: all have one distributed, one asyncssh.

Ours runs from the source beside it and is not installed there, so that what goes to a worker has to travel.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.asking import peers

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".venv-cluster-peers" / "bin" / "python"
NEEDED = (
    "msgpack>=1.1",
    "cloudpickle>=3",
    "click>=8.1",
    "rich>=13",
    "asyncssh[bcrypt]>=2.21",
    "distributed>=2024.8",
    "numpy>=1.26",
)
ASKED = ("uvloop",)  # it may not install here


def make() -> None:
    """Make it, if it is missing; what does not install is said."""
    peers(PEERS, NEEDED, ASKED)


def for_peers() -> dict[str, str]:
    """Of Dask's programs: they have the functions that are measured, and nothing of ours."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

"""The interpreters that the peers run on: two environments, because the original pins what all others have left behind.

Ours runs in the one of the others, from the source beside it, so that all have the same Python, codec and uvloop.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.asking import peers

ROOT = Path(__file__).resolve().parent.parent.parent
ORIGINAL = ROOT / ".venv-msgpackrpc" / "bin" / "python"
PEERS = ROOT / ".venv-rpc-peers" / "bin" / "python"
NEEDED = ("msgpack>=1.1", "cloudpickle>=3")  # ours
ASKED = (
    "uvloop",
    "rpyc>=6",
    "Pyro5>=5",
    "grpcio>=1.60",
    "aio-msgpack-rpc==0.2.0",
)  # each by itself: one may not install


def make() -> None:
    """Make what is missing; what does not install is said, and its rows stay empty."""
    if not (ORIGINAL.parent.parent / ".ready").exists():
        subprocess.run([ROOT / ".ci" / "peers", "original"], check=False, env={**os.environ, "PYTHON": sys.executable})
    peers(PEERS, NEEDED, ASKED)


def python_for(peer: str) -> Path:
    return ORIGINAL if peer == "original" else PEERS


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), "PYTHONUNBUFFERED": "1"}

"""The interpreter that all contestants run on: ours from the source beside it, so that all have one asyncssh, one
cryptography and one uvloop.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.asking import peers

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".venv-fleet-peers" / "bin" / "python"
NEEDED = ("msgpack>=1.1", "cloudpickle>=3", "click>=8.1", "rich>=13", "asyncssh[bcrypt]>=2.21", "fabric==3.2.3")
ASKED = ("uvloop",)  # it may not install here


def make() -> None:
    """Make it, if it is missing; what does not install is said."""
    peers(PEERS, NEEDED, ASKED)


def environment() -> dict[str, str]:
    """Of a contestant: nothing of who runs it decides how hosts are reached."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SSH_")}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), "PYTHONUNBUFFERED": "1"}

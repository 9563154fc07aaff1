"""The interpreter that all contestants run on: ours from the source beside it, so that all have one asyncssh, one
cryptography and one uvloop.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".venv-fleet-peers" / "bin" / "python"
NEEDED = ("msgpack>=1.0.8", "cloudpickle>=3", "click>=8.1", "rich>=13", "asyncssh[bcrypt]>=2.21", "fabric==3.2.3")
ASKED = ("uvloop",)  # it may not install here


def make() -> None:
    """Make it, if it is missing; what does not install is said."""
    ready = PEERS.parent.parent / ".ready"
    if ready.exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS.parent.parent)], check=True)
    pip = [str(PEERS), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *NEEDED], check=True)
    for package in ASKED:
        if subprocess.run([*pip, package], check=False).returncode:
            print(f"{package} does not install here", file=sys.stderr)
    ready.touch()


def environment() -> dict[str, str]:
    """Of a contestant: nothing of who runs it decides how hosts are reached."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SSH_")}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), "PYTHONUNBUFFERED": "1"}

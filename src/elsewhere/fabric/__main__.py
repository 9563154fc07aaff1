"""``python -m elsewhere.fabric script.py args...``: a program whose ``import fabric`` and ``import invoke`` are ours.

``python -m elsewhere.fabric -m module args...`` runs a module so.
"""

import sys

from elsewhere.fabric import install
from elsewhere.rpc.program import run_program

if __name__ == "__main__":
    sys.exit(run_program("elsewhere.fabric", install, sys.argv[1:]))

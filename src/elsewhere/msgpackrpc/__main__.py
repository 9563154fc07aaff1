"""``python -m elsewhere.msgpackrpc script.py args...`` runs a program whose ``import msgpackrpc`` gives this package.

``python -m elsewhere.msgpackrpc -m module args...`` runs a module so.
"""

import sys

from elsewhere.msgpackrpc import install
from elsewhere.rpc.program import run_program

if __name__ == "__main__":
    sys.exit(run_program("elsewhere.msgpackrpc", install, sys.argv[1:]))

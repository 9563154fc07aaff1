"""``python -m elsewhere.xmlrpc script.py args...`` runs a program whose ``import xmlrpc.client`` gives ours.

``python -m elsewhere.xmlrpc -m module args...`` runs a module so.
"""

import sys

from elsewhere.rpc.program import run_program
from elsewhere.xmlrpc import install

if __name__ == "__main__":
    sys.exit(run_program("elsewhere.xmlrpc", install, sys.argv[1:]))

"""CPython's own tests of xmlrpc, whose ``import xmlrpc.client`` and ``xmlrpc.server`` give ours, for `test_cpython`.

Rule: nothing of theirs is changed. Usage::

    python -m tests.xmlrpc.cpython_cases MODULE,... OUTPUT

writes what became of each test.
"""

from __future__ import annotations

import sys

import elsewhere.xmlrpc
from tests import outcomes

if __name__ == "__main__":
    elsewhere.xmlrpc.install()
    _, names, output = sys.argv
    outcomes.run_modules(names.split(","), output)

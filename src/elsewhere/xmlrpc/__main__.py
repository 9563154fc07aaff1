"""``python -m elsewhere.xmlrpc script.py args...`` runs a program whose ``import xmlrpc.client`` gives ours.

``python -m elsewhere.xmlrpc -m module args...`` runs a module so.
"""

from __future__ import annotations

import os
import runpy
import sys
from types import ModuleType

import elsewhere.xmlrpc

USAGE = "usage: python -m elsewhere.xmlrpc script.py [ARG...] | -m MODULE [ARG...]\n"


def main(argv: list[str]) -> int:
    """Run what the arguments name; exit status 2 if they name nothing."""
    if not argv or argv[0] in {"-h", "--help"}:
        (sys.stdout if argv else sys.stderr).write(USAGE)
        return 0 if argv else 2
    elsewhere.xmlrpc.install()
    if argv[0] == "-m":
        if len(argv) < 2:
            sys.stderr.write(USAGE)
            return 2
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        return 0
    try:
        with open(argv[0], "rb") as file:
            source = file.read()
    except OSError as error:
        reason = error.strerror or error
        sys.stderr.write(f"python -m elsewhere.xmlrpc: cannot open {argv[0]!r}: {reason}\n")
        return 2
    sys.argv = argv
    sys.path[0] = os.path.dirname(os.path.realpath(argv[0]))
    # Not runpy.run_path: its module is taken away when the script ends, and threads and exit handlers still use it.
    program = ModuleType("__main__")
    vars(program).update(__file__=argv[0], __builtins__=__builtins__)
    sys.modules["__main__"] = program
    exec(compile(source, argv[0], "exec"), vars(program))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

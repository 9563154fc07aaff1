"""``python -m elsewhere.DROPIN script.py args...``: a program that runs with a drop-in in the original's place.

``-m module args...`` runs a module so.
"""

from __future__ import annotations

import builtins
import os
import runpy
import sys
from collections.abc import Callable
from types import ModuleType

__all__ = ["run_program"]


def run_program(dropin: str, install: Callable[[], object], argv: list[str]) -> int:
    """Run what the arguments name; exit status 2 if they name nothing.

    Args:
        dropin: the package's name, for what is said.
        install: puts it in the original's place.
        argv: the script or ``-m module``, and its arguments.
    """
    usage = f"usage: python -m {dropin} script.py [ARG...] | -m MODULE [ARG...]\n"
    if not argv or argv[0] in {"-h", "--help"}:
        (sys.stdout if argv else sys.stderr).write(usage)
        return 0 if argv else 2
    install()
    if argv[0] == "-m":
        if len(argv) < 2:
            sys.stderr.write(usage)
            return 2
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        return 0
    try:
        with open(argv[0], "rb") as file:
            source = file.read()
    except OSError as error:
        reason = error.strerror or error
        sys.stderr.write(f"python -m {dropin}: cannot open {argv[0]!r}: {reason}\n")
        return 2
    sys.argv = argv
    sys.path[0] = os.path.dirname(os.path.realpath(argv[0]))
    # Not runpy.run_path: its module is taken away when the script ends, and threads and exit handlers still use it.
    program = ModuleType("__main__")
    vars(program).update(__file__=argv[0], __builtins__=builtins)
    sys.modules["__main__"] = program
    exec(compile(source, argv[0], "exec", dont_inherit=True), vars(program))  # our own __future__ is not the script's
    return 0

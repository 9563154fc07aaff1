"""The shell: ``elsewhere VERB ...``. Click and Rich are imported in this folder only, one file a verb.

::

    main        the console script; imports nothing until it runs, because workers import this package too
    group       the verbs by name, and how any failure ends: one sentence on stderr and an exit code
    help        pages that fit a screen; versions
    options     the options that verbs share, spelled once
    ending      what is wrong in one sentence; Ctrl-C, SIGTERM and SIGHUP as one exception
    function/   what a verb's FUNCTION means
    map         the verb ``map``
    serve       the verb ``serve``
    call        the verb ``call``
    remote      the secrets and certificates that ``serve`` and ``call`` take
    batch/      what ``map`` is made of: inputs in, calls on every core, rows out
    places/     where ``map`` calls: hosts, threads, a cluster
    hosts/      the verbs ``run``, ``put`` and ``get``
    fab         the verb ``fab``
    doctor/     the verb ``doctor``
    completion/ the verb ``completion``, and what Tab completes

Exit codes, the same for every verb: 0 all well, 1 some failed, 2 wrong usage, and 130, 143, 129 after SIGINT,
SIGTERM, SIGHUP (141 when whoever read our output went away). A command on one host has its own: see `hosts`.
"""

import sys
from collections.abc import Sequence

__all__ = ["main"]

NEEDED = {"click", "rich", "cloudpickle", "msgpack"}  # what comes with us, unless somebody has taken it away


def main(args: Sequence[str] | None = None) -> None:
    """Run the command with `args` (the process's own if None) and exit."""
    try:
        from elsewhere.cli.group import run

        code = run(args, leaving=True)
    except KeyboardInterrupt:  # while modules are loaded; from then on `group` catches it
        code = 130
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        again = f"python -m pip install --force-reinstall {error.name}"
        print(f"elsewhere: the shell needs {error.name}, which is not installed: {again}", file=sys.stderr)
        code = 1
    raise SystemExit(code)

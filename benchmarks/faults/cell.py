"""One cell's program: makes a pool, runs the calls in one way, and says each outcome when it knows it.

    python -m benchmarks.faults.cell LIBRARY WAY FAULT POST ONCE

LIBRARY is a column of the table or `module:Class`. It says "ready" when its workers run, and "over" when it has
nothing left to wait for; whatever else becomes of it is for the runner to see.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from typing import Any

from benchmarks.faults.guilty import FAULTS, Call, die_in_initializer, say
from benchmarks.faults.libraries import LIBRARIES, Library, Run


def library_named(name: str) -> Library:
    if ":" not in name:
        return LIBRARIES[name]()
    module, _, kind = name.partition(":")
    made: Library = getattr(importlib.import_module(module), kind)()
    return made


def main(name: str, way: str, key: str, post: str, once: str) -> None:
    fault, library, fn = FAULTS[key], library_named(name), Call(key, post, os.getpid())

    def tell(**line: Any) -> None:
        say(post, **line)

    if fault.at_start:
        tell(ready=time.monotonic())
        library.open(die_in_initializer, (post, once if fault.at_start == "once" else None))
    else:
        library.open(None, ())
        library.warm(fn)
        tell(ready=time.monotonic())
    run = Run(fn, fault.timeout, tell)
    library.ask(way, run)
    tell(over=time.monotonic(), waited_in_vain=run.waited_in_vain)
    threading.Event().wait()  # how its pool would end is not asked: the runner ends all


if __name__ == "__main__":
    main(*sys.argv[1:])

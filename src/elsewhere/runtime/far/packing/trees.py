"""Sources as trees, one after the other: two threads that parse at the same time get a SystemError from some CPythons.

CPython keeps how deep it is in the making of a tree in one place for all threads (gh-106905), and may change threads in
the middle of it.
"""

from __future__ import annotations

import ast
import threading

__all__ = ["parsed"]

_lock = threading.RLock()  # a finalizer may run in the middle, and pack something


def parsed(text: str) -> ast.Module:
    """The tree of a source; raises what `ast.parse` raises."""
    with _lock:
        return ast.parse(text)

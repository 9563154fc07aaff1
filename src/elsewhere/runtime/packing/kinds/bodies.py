"""The globals that the bodies of classes read, when the function that they are in is called.

Rule: cloudpickle finds what functions read; a class's body reads its names in another way, from itself or the globals.
"""

from __future__ import annotations

import dis
import inspect
from types import CodeType

__all__ = ["names_read"]

READ = frozenset({"LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})


def names_read(code: CodeType) -> set[str]:
    """The names that the classes in a function's code read before they bind them; globals, or builtins."""
    found: set[str] = set()
    inner = [code]
    while inner:
        for const in inner.pop().co_consts:
            if isinstance(const, CodeType):
                inner.append(const)
                if not const.co_flags & inspect.CO_OPTIMIZED:
                    found |= _read_by(const)
    return found


def _read_by(body: CodeType) -> set[str]:
    found, bound = set[str](), set[str]()
    for step in dis.get_instructions(body):
        if step.opname == "STORE_NAME":
            bound.add(step.argval)
        elif step.opname in READ and step.argval not in bound:
            found.add(step.argval)
    return found

"""What a far worker may ask for: the caller's own modules that something sent there names, and what those import.

Rule: a host is told nothing that it was not given a reason to ask for. What was sent names modules in three ways: a
pickle as texts, code by its import statements, and a served source by those, too. What is allowed is a whole top-level
package at a time. All else is answered as if it were not there.

What is needed for code and sources only is imported then: pools that send nothing but names do without.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any, NamedTuple

from elsewhere.runtime.far.packing.places import is_own, source_of

__all__ = ["Modules", "imported_by_code", "imported_by_source", "imports_relatively"]

Source = tuple[str, str, bool]


class _Others(NamedTuple):
    """Own modules that are not allowed yet: at which state of `sys.modules`, their names, and what finds them."""

    state: tuple[int, str]
    names: tuple[bytes, ...]
    pattern: re.Pattern[bytes] | None


class Modules:
    """One pool's own modules. Thread-safe: every step is one operation on a set, or one attribute."""

    def __init__(self) -> None:
        self._allowed: set[str] = set()
        self._scanned: set[bytes] = set()  # digests of the sources whose imports are allowed
        self._known: dict[str, Any] = {}  # own modules that were asked about, with their specs
        self._others = _Others((0, ""), (), None)

    def named_in(self, data: bytes) -> None:
        """Allow the modules that this pickle names.

        A text that is the name of a module of this process counts: what pickle writes as a reference is two texts, and
        of two that are the same it writes only the first.
        """
        others = self._others
        if others.state != _state():
            others = self._look()
        if others.pattern is None or not any(name in data for name in others.names):
            return
        for match in others.pattern.finditer(data):
            start = match.start() + 2
            name = data[start : start + data[start - 1]]
            if name.isascii() and name.decode() in sys.modules:
                self.allow([name.decode()])

    def allow(self, names: Iterable[str]) -> None:
        """Allow these modules, as far as they are own."""
        for name in names:
            top = name.partition(".")[0]
            if top not in self._allowed and is_own(top):
                self._allowed.add(top)
                self._others = _Others((0, ""), (), None)

    def known(self, name: str) -> bool:
        """Is this an own module that a host may know of?"""
        if name.partition(".")[0] not in self._allowed:
            return False
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is not None and self._known.get(name) is spec:
            return True
        if not is_own(name):
            return False
        self._known[name] = spec
        return True

    def source(self, name: str) -> Source | None:
        """The source of a module that may be asked for, the name of its file, and whether it is a package."""
        if name.partition(".")[0] not in self._allowed:
            return None
        try:
            found = source_of(name)
        except Exception:  # noqa: BLE001 - it cannot be read, or whoever's loader it is fails: it is not there
            return None
        if found is not None:
            from hashlib import blake2b

            digest = blake2b(found[0].encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if digest not in self._scanned:
                self.allow(imported_by_source(found[0]))
                self._scanned.add(digest)
        return found

    def _look(self) -> _Others:
        state = _state()
        tops = {name.partition(".")[0] for name in list(sys.modules)} - self._allowed
        names = tuple(name.encode() for name in sorted(tops) if name.isascii() and is_own(name))
        # SHORT_BINUNICODE, its length, and a text that begins with one of the names.
        alternatives = b"|".join(map(re.escape, names))
        pattern = re.compile(rb"\x8c.(?:%s)" % alternatives, re.DOTALL) if names else None
        self._others = _Others(state, names, pattern)
        return self._others


def _state() -> tuple[int, str]:
    """Changes with what is imported."""
    try:
        return len(sys.modules), next(reversed(sys.modules), "")
    except RuntimeError:  # another thread is importing right now
        return -1, ""


@functools.lru_cache(maxsize=1024)
def imported_by_code(code: CodeType) -> tuple[str, ...]:
    """The modules that code imports when it runs; its inner functions have code of their own."""
    if not code.co_names:
        return ()
    import dis

    return tuple(step.argval for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME")


@functools.lru_cache(maxsize=1024)
def imports_relatively(code: CodeType) -> bool:
    """Does the code, or a function inside it, import from its own package (``from . import ...``)?"""
    import dis

    steps = list(dis.get_instructions(code)) if code.co_names else []
    # The level and the list of names are loaded just before the import.
    if any(step.opname == "IMPORT_NAME" and steps[at - 2].argval for at, step in enumerate(steps)):
        return True
    return any(isinstance(const, CodeType) and imports_relatively(const) for const in code.co_consts)


def imported_by_source(text: str) -> Iterator[str]:
    """The modules that a source imports by name, anywhere in it; relative ones are in its own package anyway."""
    import ast

    from elsewhere.runtime.far.packing.trees import parsed

    try:
        tree = parsed(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module

"""The pool's by-value pickler for workers that have nothing of ours but what was shipped.

Rule: what it writes is `elsewhere.runtime.packing`'s; here is only by which names a far worker knows the constructors,
and what belongs to this machine and so is refused.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from cloudpickle import cloudpickle

from elsewhere.runtime.far.packing.loading import BARE
from elsewhere.runtime.far.packing.modules import imports_relatively
from elsewhere.runtime.far.packing.shared import LOADING, WORKER, Constant, Far, Recorder
from elsewhere.runtime.memory import buffers
from elsewhere.runtime.packing import restore
from elsewhere.runtime.packing.book import Book, BookPickler, Draft
from elsewhere.runtime.packing.byvalue import Reduced, dispatch_table
from elsewhere.runtime.packing.kinds import structures
from elsewhere.runtime.packing.kinds.bodies import names_read

__all__ = ["FarBook", "FarPickler"]

RENAMED = frozenset({restore.__name__, structures.__name__, buffers.__name__})
_named = {"lookup": Far(WORKER, "lookup")}  # each object once, so that pickles remember it


def far(name: str) -> Far:
    """The function of that name in a far worker: most are in `loading`."""
    found = _named.get(name)
    return _named.setdefault(name, Far(LOADING, name)) if found is None else found


def uses_module(code: CodeType, names: dict[str, Any]) -> bool:
    """Does the code read any of these globals of its module, or import what is beside it?"""
    used = {*cloudpickle._extract_code_globals(code), *names_read(code)} - {"__name__", "__builtins__"}
    return not used.isdisjoint(names) or imports_relatively(code)


class FarBook(Book):
    """The definitions of one job.

    Args:
        owner: whose shared objects they may refer to.
        classes: gets the classes that are written by value, by the tokens that results name them by.

    Attributes:
        drafts: all definitions made so far, by digest.
        constants: what each definition refers to, by its name.
        codes: the code that was written for the last payload and its definitions.
        refs: the names that the last payload refers to.
        coded: is there code in the last payload itself?
    """

    def __init__(self, owner: object, classes: dict[str, type]) -> None:
        super().__init__({})
        self.owner = owner
        self.classes = classes
        self.table = dispatch_table(local=False)
        self._reduce_code = self.table[CodeType]
        self.table[CodeType] = self.code
        self.drafts: dict[bytes, Draft] = {}
        self.constants: dict[str, tuple[Constant, ...]] = {}
        self.codes: list[CodeType] = []
        self.refs: tuple[str, ...] = ()
        self.coded = False

    def fresh(self) -> FarBook:
        """See `Book.fresh`."""
        return FarBook(self.owner, {})

    def pickler(self, share: bool, take: Callable[[Any], object] | None = None) -> BookPickler:
        """See `Book.pickler`."""
        return FarPickler(self, share, take)

    def pack(
        self, value: Any, share: bool, take: Callable[[Any], object] | None = None
    ) -> tuple[bytes, tuple[bytes, ...]]:
        """See `Book.pack`."""
        self.codes.clear()
        packed = super().pack(value, share, take)
        self.drafts.update((draft.digest, draft) for draft in self.take_new())
        return packed

    def also(self, other: FarBook) -> tuple[bytes, ...]:
        """What the last payload of another book needs, by this one's definitions."""
        for name in other.refs:
            self.objects.setdefault(name, other.objects[name])
        needs = self._needs_of(other.refs)
        self.drafts.update((draft.digest, draft) for draft in self.take_new())
        return needs

    def _needs_of(self, refs: tuple[str, ...]) -> tuple[bytes, ...]:
        # The payload is written, the definitions are not.
        self.refs, self.coded = refs, bool(self.codes)
        return super()._needs_of(refs)

    def code(self, obj: CodeType) -> Reduced:
        """How code is written."""
        self.codes.append(obj)
        return self._reduce_code(obj)


class FarPickler(BookPickler):
    """One payload or definition of a `FarBook`."""

    book: FarBook

    def reducer_override(self, obj: Any) -> Reduced:
        """See `ByValuePickler.reducer_override`."""
        kind = type(obj)
        if kind is FunctionType and obj.__module__ in RENAMED:
            return far(obj.__name__).__reduce__()
        if kind is type and obj.__module__ == "pathlib._local":  # Python 3.13, and no other
            return getattr, (pathlib, obj.__name__)
        if kind.__module__ == "multiprocessing.connection":
            raise TypeError(f"cannot pickle a {kind.__name__}: it belongs to this machine")
        return super().reducer_override(obj)

    def home(self, function: FunctionType) -> str | None:
        """See `ByValuePickler.home`; a function that uses nothing of its module does not need it there."""
        home = super().home(function)
        if home is None or home == "__main__":
            return home
        return home if uses_module(function.__code__, function.__globals__) else BARE + home

    def dump_root(self, name: str, value: Any) -> None:
        """See `BookPickler.dump_root`; what it refers to is noted for itself."""
        with Recorder(self.book.owner) as recorder:
            super().dump_root(name, value)
        self.book.constants[name] = tuple(recorder.constants)

    def class_by_value(self, cls: type, key: str | None) -> Reduced:
        """See `BookPickler.class_by_value`."""
        reduced = super().class_by_value(cls, key)
        self.book.classes[reduced[1][1]] = cls
        return reduced

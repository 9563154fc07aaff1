"""What a payload needs of the caller's `__main__`: each name pickled once, for itself, and told apart by its bytes.

The law of the file: a definition's bytes depend on nothing but the caller's value, so that equal digests mean "nothing
has changed, leave it alone". Where an object *holds* another by name (a table of functions, a default argument that is
a global), a change of the other is a change of both: the digest covers what is held, however deep. A global that is
only *read* when a function runs is not held.

Names are globals of `__main__`, or ``class:<id>`` for a class that no global is bound to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from cloudpickle import cloudpickle

from elsewhere.runtime import issued

from . import restore
from .byvalue import BY_NAME, ByValuePickler, Reduced, Stand, class_parts, dispatch_table
from .restore import MAIN_NAMES

__all__ = ["Book", "Draft"]

# The machinery's own: the worker's `__main__` has them, or must not.
NOT_SENT = frozenset({"__name__", "__builtins__", "__spec__", "__loader__", "__builtin__"})


class Draft(NamedTuple):
    """A definition, with what it refers to."""

    digest: bytes
    name: str
    body: bytes


class _Entry:
    __slots__ = ("body", "digest", "held", "own", "refs")

    def __init__(self, name: str, body: bytes, refs: tuple[str, ...], held: frozenset[str]) -> None:
        self.body = body
        self.refs = refs
        self.held = held
        self.own = blake2b(body, digest_size=16, key=name.encode()[:64]).digest()
        self.digest = b""


class Book:
    """The definitions of one job, as its payloads come to need them.

    Args:
        inherited: the globals that workers forked from the caller have; those are not sent, whatever they are by now.
    """

    def __init__(self, inherited: Mapping[str, Any]) -> None:
        self.inherited = inherited
        self.main = sys.modules["__main__"].__dict__
        self.names = {id(value): name for name, value in self.main.items() if name not in NOT_SENT}
        self.table = dispatch_table()
        self.objects: dict[str, Any] = {}
        self._entries: dict[str, _Entry] = {}
        self._needs: dict[tuple[str, ...], tuple[bytes, ...]] = {}
        self._new: list[Draft] = []
        self.failed: str | None = None  # the name that could not be pickled, for the note

    def fresh(self) -> Book:
        """Another one, to try something out."""
        return Book({})

    def pickler(self, share: bool, take: Callable[[Any], object] | None = None) -> BookPickler:
        """What writes one payload or definition."""
        return BookPickler(self, share, take)

    def pack(
        self, value: Any, share: bool, take: Callable[[Any], object] | None = None
    ) -> tuple[bytes, tuple[bytes, ...]]:
        """The payload and what it needs; with `share`, objects that are globals are written by name.

        `take` is pickle's ``buffer_callback``.
        """
        self.failed = None
        pickler = self.pickler(share, take)
        try:
            pickler.dump(value)
        finally:
            # A pickler is part of a cycle. What it remembers must not wait for the garbage collector: it may be large,
            # and memoryviews among it crash Python when they are collected (seen in 3.11).
            pickler.clear_memo()
        return pickler.file.getvalue(), self._needs_of(tuple(pickler.refs))

    def take_new(self) -> list[Draft]:
        """The definitions made since the last time."""
        new, self._new = self._new, []
        return new

    def name_of(self, obj: Any, kind: type) -> str | None:
        """The global of `__main__` that is this object."""
        own: str | None = getattr(obj, "__qualname__", None) if kind in BY_NAME else None
        if own is not None and self.main.get(own, self) is obj:
            return own
        name = self.names.get(id(obj))
        # An id may have been given to another object since the names were collected.
        return name if name is not None and self.main.get(name) is obj else None

    def _needs_of(self, refs: tuple[str, ...]) -> tuple[bytes, ...]:
        if not refs:
            return ()
        needs = self._needs.get(refs)
        if needs is None:
            order = self._in_order(refs)
            for name in order:
                self._seal(name)
            needs = self._needs[refs] = tuple(self._entries[name].digest for name in order)
        return needs

    def _in_order(self, refs: Iterable[str]) -> list[str]:
        """All that is reachable, what is referred to before what refers to it (without recursion: chains are long)."""
        order: dict[str, None] = {}
        seen: set[str] = set()
        stack: list[tuple[str, bool]] = [(name, False) for name in reversed(tuple(refs))]
        while stack:
            name, done = stack.pop()
            if done:
                order[name] = None
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack.extend((ref, False) for ref in reversed(self._entry(name).refs))
        return list(order)

    def _entry(self, name: str) -> _Entry:
        entry = self._entries.get(name)
        if entry is None:
            pickler = self.pickler(share=True)
            try:
                pickler.dump_root(name, self.objects[name])
            except Exception:
                self.failed = name
                raise
            refs = tuple(ref for ref in pickler.refs if ref != name)
            entry = self._entries[name] = _Entry(name, pickler.file.getvalue(), refs, frozenset(pickler.held))
        return entry

    def _seal(self, name: str) -> None:
        """The digest of a definition whose references are all packed."""
        entry = self._entries[name]
        if entry.digest:
            return
        seen = {name}
        stack = [name]
        while stack:
            found = self._entries[stack.pop()].held - seen
            seen |= found
            stack.extend(found)
        if len(seen) == 1:
            entry.digest = entry.own
        else:
            entry.digest = blake2b(
                entry.own + b"".join(sorted(self._entries[held].own for held in seen)), digest_size=16
            ).digest()
        self._new.append(Draft(entry.digest, name, entry.body))


class BookPickler(ByValuePickler):
    """One payload or definition of a `Book`."""

    def __init__(self, book: Book, share: bool, take: Callable[[Any], object] | None = None) -> None:
        super().__init__(book.main, book.table, take)
        self.book = book
        self.share = share
        self.refs: dict[str, None] = {}
        self.held: set[str] = set()
        self.defining = False

    def dump_root(self, name: str, value: Any) -> None:
        """The body of a definition."""
        self.root, self.root_key, self.defining = value, name, True
        self.dump(value)

    def reference(self, obj: Any, kind: type) -> Reduced | None:
        if not (self.share or kind in BY_NAME):
            return None
        name = self.book.name_of(obj, kind)
        if name is None:
            if kind is not type:
                return None
            name = "class:" + cloudpickle._get_or_create_tracker_id(obj)
        return self.by_name(name, obj)

    def named(self, name: str, obj: Any) -> Reduced | None:
        return self.by_name(name, obj) if self.main.get(name) is obj else None

    def shared(self, value: Any) -> Any:
        # Pickle asks nobody about these types, so that `reference` never sees them.
        if not self.share or type(value) not in (dict, list, set):
            return value
        name = self.book.name_of(value, type(value))
        if name is None:
            return value
        return self.stands.setdefault(("shared", name), Stand(*self.by_name(name, value)))

    def by_name(self, name: str, obj: Any) -> Reduced:
        if self.book.inherited.get(name, self) is obj:
            return restore.inherited, (name,)
        self.book.objects.setdefault(name, obj)
        self.refs[name] = None
        if not isinstance(obj, type):  # a class is changed in place, and so never stale where it is held
            self.held.add(name)
        return restore.lookup, (name,)

    def reads(self, function: FunctionType) -> dict[str, Any]:
        read = super().reads(function)
        if self.main.get("__package__"):
            read["__package__"] = self.main["__package__"]  # for relative imports inside the function
        for name, value in read.items():
            if name not in NOT_SENT and name not in self.book.inherited:
                self.book.objects.setdefault(name, value)
                self.refs[name] = None
        return read

    def class_by_value(self, cls: type, key: str | None) -> Reduced:
        tracker_id, maker, args, attributes = class_parts(cls)
        state = attributes, {name: self._mark(value) for name, value in attributes.items()}
        made = key, tracker_id, maker, args
        return restore.make_class, made, state, None, None, restore.set_class

    def _mark(self, value: Any) -> bytes:
        """Tells whether a class attribute changed; pickled for itself, the attribute's place in the class is out."""
        pickler = self.book.pickler(share=True)
        pickler.defining = True
        mark = issued.mark()
        pickler.dump(value)
        issued.take_back(mark)
        return blake2b(pickler.file.getvalue(), digest_size=8).digest()

    def method(self, obj: MethodType) -> Reduced:
        # In a definition the class may be half loaded when the method is asked for.
        if self.defining and type(obj.__self__).__module__ in MAIN_NAMES:
            return MethodType, (obj.__func__, obj.__self__)
        return super().method(obj)

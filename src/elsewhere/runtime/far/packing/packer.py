"""The caller's side of a pool of far workers: functions and arguments into bodies, and what workers ask for.

Rule: everything that pickles runs in the thread that passed the value, so that its errors are raised there, and sees
the globals of `__main__` as they are at that moment. What a body needs of `__main__` is shared objects: each a
`Constant` that holds a definition, found again by its bytes, so that a worker gets it once.
"""

from __future__ import annotations

import pickle
import struct
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import count
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from elsewhere.runtime import issued
from elsewhere.runtime.far.packing.modules import Modules, imported_by_code
from elsewhere.runtime.far.packing.shared import SHARED, WORKER, Body, Call, Constant, Far, Recorder, Shared, WrongPool
from elsewhere.runtime.memory import sharing
from elsewhere.runtime.memory.buffers import Collector
from elsewhere.runtime.packing.packer import CONNECTION, MAIN, Definition, Kind, is_from_handler, registered_by_value

if TYPE_CHECKING:  # they import cloudpickle
    from elsewhere.runtime.far.packing.bysource import SourceBook
    from elsewhere.runtime.far.packing.byvalue import FarBook
    from elsewhere.runtime.packing.book import Draft

__all__ = ["Body", "Constant", "Packer", "Shared"]

MOST_KEPT = 256  # definitions that are kept for the next call, though no call refers to them
LARGEST_KEPT = 1 << 28  # bytes of those together
NO_SOURCE = "this pool sends byte code only"
MOVED = b"pathlib._local"  # what Python 3.13 writes for paths, and no other understands
MOVES = sys.version_info[:2] == (3, 13)
TBLIB = "tblib"  # how plain pickle writes exceptions where `distributed` was imported: see `dispatch_table`
MAIN_NAMES = ("__main__", "__mp_main__")
NAMED = (FunctionType, BuiltinFunctionType)
BOUND = Far(WORKER, "bound")


class _Books(threading.local):
    """Of each thread the definitions of what it packs now, and since which function they were looked up."""

    since = 0
    values: FarBook | None = None
    sources: SourceBook | None = None


class _Written(NamedTuple):
    """A payload, the definitions that it needs, and what shared objects it refers to."""

    payload: bytes
    needs: list[Draft]
    constants: tuple[Constant, ...]


class Packer:
    """What one pool sends.

    Args:
        sources: also make what workers of another minor version of Python can load.
    """

    def __init__(self, *, sources: bool) -> None:
        self._sources = sources
        self._modules = Modules()
        self._named: dict[tuple[str | None, str], Body] = {}
        self._books = _Books()
        self._counter = count(1)
        self._since = 0
        self._classes: dict[str, type] = {}
        self._definitions: weakref.WeakValueDictionary[Any, Constant] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()  # for the next two
        self._kept_bytes = 0
        self._kept: OrderedDict[Constant, None] = OrderedDict()

    # ---- what is sent ------------------------------------------------------------------------------------------------

    def function(self, fn: Callable[..., Any]) -> Body:
        """The function that is called.

        Raises:
            Exception: what pickling raised, with a note that names the culprit and the cure.
        """
        self._since = next(self._counter)  # globals may have changed
        if type(fn) not in NAMED:
            return self._pack(fn, lambda: _called(fn), "value", share=True)
        known = self.named(fn)
        if known is not None:
            return known
        place = fn.__module__, fn.__qualname__
        body = self._pack(fn, lambda: _called(fn), "value", share=True)
        if body.source is body.data and not body.constants and _is_there(fn, *place):
            if len(self._named) > MOST_KEPT:
                self._named.clear()
            self._named[place] = body
        return body

    def named(self, fn: Any) -> Body | None:
        """What `function` gives for a function that goes by its name, if it has given that before."""
        if type(fn) not in NAMED:
            return None
        place = fn.__module__, fn.__qualname__
        known = self._named.get(place)
        return known if known is not None and _is_there(fn, *place) else None

    def item(self, value: Any, where: Callable[[], str], kind: Kind = "value") -> Body:
        """What is passed to a call.

        Args:
            value: one argument, a tuple of positional arguments, or a pair of those and a dictionary of keyword
                arguments.
            where: names it in a note if it cannot be pickled: ``"item 17 of map(score, ...)"``.
            kind: which of those `value` is, so that the note can name the culprit.

        Raises:
            ValueError: it refers to an object that was shared with another pool.
            Exception: what pickling raised, with a note that names the culprit and the cure.
        """
        return self._pack(value, where, kind, share=False)

    def share(self, obj: Any) -> Shared:
        """A handle of an object that goes to each worker once, when a call first refers to it.

        Raises:
            Exception: see `item`.
        """
        self._since = next(self._counter)
        body = self._pack(obj, lambda: "the object to share", "value", share=False)
        return Shared(Constant(self, body), type(obj).__name__)

    # ---- what is asked -----------------------------------------------------------------------------------------------

    def shipped(self, token: str) -> type | None:
        """The class that was sent by value under that token."""
        return self._classes.get(token)

    def own(self, module: str) -> bool:
        """Is this a module of the caller's own, which workers may know of? Nothing is imported to find out."""
        return self._modules.known(module)

    def module(self, name: str) -> tuple[str, str, bool] | None:
        """What a worker is answered that wants to import something: see `modules`.

        Returns:
            The source, the name of its file, and whether it is a package; None if it is not the worker's business,
            which is told nothing else.
        """
        return self._modules.source(name)

    # ---- how ---------------------------------------------------------------------------------------------------------

    def _pack(self, value: Any, where: Callable[[], str], kind: Kind, *, share: bool) -> Body:
        buffers = Collector()  # large ones are not looked through, and copied once
        with Recorder(self) as recorder:
            mark = issued.mark()
            data = b""
            try:
                data = pickle.dumps(value, 5, buffer_callback=buffers.take)
            except Exception as error:
                if is_from_handler(error, value) or type(error) is WrongPool:
                    issued.take_back(mark)
                    raise
            _refuse_what_is_here(mark, where)
            plain = MAIN not in data and CONNECTION not in data and not (MOVES and MOVED in data)
            plain = plain and not (TBLIB in sys.modules and TBLIB.encode() in data)
            if data and plain and not registered_by_value():
                self._seen(data)
                if buffers:
                    buffers.clear()
                    data = pickle.dumps(value, 5)
                return Body(data, data, "", tuple(recorder.constants))
        return self._by_value(value, where, kind, share=share)

    def _by_value(self, value: Any, where: Callable[[], str], kind: Kind, *, share: bool) -> Body:
        from elsewhere.runtime.packing import explain

        book = self._books.values
        if book is None or self._books.since != self._since:
            from elsewhere.runtime.far.packing.byvalue import FarBook

            self._books.since, self._books.sources = self._since, None
            book = self._books.values = FarBook(self, self._classes)
        mark = issued.mark()
        try:
            written = self._write(book, value, share=share)
        except Exception as error:
            explain.annotate(error, value, where, kind, book, local=False)
            issued.take_back(mark)
            raise
        _refuse_what_is_here(mark, where)
        if share:
            explain.warn_if_large(value, written.payload, [Definition(*draft) for draft in written.needs])
        self._seen(written.payload)
        source, refusal = self._source(book, value, written, share=share)
        for code in book.codes:
            self._modules.allow(imported_by_code(code))
        return self._body(written, source, refusal, bound if share else after)

    def _source(self, book: FarBook, value: Any, written: _Written, *, share: bool) -> tuple[_Written | None, str]:
        """The same for other versions of Python, or why there is no such thing."""
        if not (book.coded or written.needs):
            return written, ""
        if not self._sources:
            return None, NO_SOURCE
        from elsewhere.runtime.far.packing.bysource import SourceBook
        from elsewhere.runtime.far.packing.sources import NoSource

        sources = self._books.sources
        if sources is None:
            sources = self._books.sources = SourceBook(self, self._classes)
        if not book.coded and book.refs in sources.refused:
            return None, sources.refused[book.refs]
        mark = issued.mark()
        try:
            if book.coded:
                return self._write(sources, value, share=share), ""
            needs = sources.also(book)
            return written._replace(needs=[sources.drafts[digest] for digest in needs]), ""
        except NoSource as error:
            sources.refused[book.refs] = str(error)
            return None, str(error)
        except Exception as error:  # pickling runs the user's code; by value it could be pickled
            issued.take_back(mark)
            from elsewhere.runtime.driving import signals

            if signals.is_from_handler(error, lambda: self._write(SourceBook(self, {}), value, share=share)):
                raise
            return None, f"it cannot be sent as source ({type(error).__name__}: {error})"

    def _write(self, book: FarBook, value: Any, *, share: bool) -> _Written:
        with Recorder(self) as recorder:
            payload, needs = book.pack(value, share)
        return _Written(payload, [book.drafts[digest] for digest in needs], tuple(recorder.constants))

    def _body(
        self,
        written: _Written,
        source: _Written | None,
        refusal: str,
        join: Callable[[Sequence[Constant], bytes], bytes],
    ) -> Body:
        """Both variants, with the shared objects that bring their definitions along."""
        value_of = {draft.name: draft for draft in written.needs}
        source_of = {} if source is None else {draft.name: draft for draft in source.needs}
        assert self._books.values is not None
        books = [self._books.values, self._books.sources] if source_of else [self._books.values]
        found = {}
        for name in {**value_of, **source_of}:
            used = dict.fromkeys(c for book in books if book is not None for c in book.constants.get(name, ()))
            found[name] = self._definition(name, value_of.get(name), source_of.get(name), tuple(used))
        data = join([found[name] for name in value_of], written.payload)
        constants = dict.fromkeys((*written.constants, *found.values()))
        if source is None:
            return Body(data, None, refusal, tuple(constants))
        constants.update(dict.fromkeys(source.constants))
        if source.payload is written.payload and list(source_of) == list(value_of):
            return Body(data, data, "", tuple(constants))  # what differs is in the definitions
        return Body(data, join([found[name] for name in source_of], source.payload), "", tuple(constants))

    def _definition(
        self, name: str, value: Draft | None, source: Draft | None, constants: tuple[Constant, ...]
    ) -> Constant:
        """The shared object that brings a global of `__main__` along.

        One of the two may be missing, as what a class statement reads is needed by source only, say.
        """
        key = name, value and value.digest, source and source.digest
        constant = self._definitions.get(key)
        if constant is None:
            drafts = dict.fromkeys(draft for draft in (value, source) if draft)  # those of plain data are equal
            both = [pickle.dumps((draft.name, draft.digest, draft.body), 5) for draft in drafts]
            for data in both:
                self._seen(data)
            body = Body(both[0], both[-1] if source else None, NO_SOURCE, constants)
            constant = self._definitions[key] = Constant(self, body)
        self._keep(constant)
        return constant

    def _keep(self, constant: Constant) -> None:
        """For the next call that needs it: workers have it, and its bytes need not be sent again."""
        with self._lock:
            if constant in self._kept:
                self._kept.move_to_end(constant)
                return
            self._kept[constant] = None
            self._kept_bytes += constant.size
            while len(self._kept) > MOST_KEPT or (self._kept_bytes > LARGEST_KEPT and self._kept):
                self._kept_bytes -= self._kept.popitem(last=False)[0].size

    def _seen(self, data: bytes) -> None:
        """What is sent: the modules that it names may be asked for, and it may not refer to other pools' objects."""
        self._modules.named_in(data)
        if sharing.handles:
            sharing.constants_in(self, [data])


def bound(definitions: Sequence[Constant], payload: bytes) -> bytes:
    """A function that needs these definitions, as its worker wants it: they are brought into force for each call."""
    if not definitions:
        return payload
    return pickle.dumps(Call(BOUND, tuple(Call(SHARED, constant.token) for constant in definitions), payload), 5)


def after(definitions: Sequence[Constant], payload: bytes) -> bytes:
    """The payload, with a beginning that brings those definitions into force.

    It is written by hand, as it must not use the memory of pickle's machine: the payload counts from zero. It calls
    ``opened`` with the definitions and a pickle of None, and drops what that gives.
    """
    if not definitions:
        return payload
    shared = b"celsewhere_far\nshared\nJ%s\x85R"
    needs = b"".join(shared % struct.pack("<i", constant.token) for constant in definitions)
    return b"".join((b"\x80\x05celsewhere_far\nopened\n(", needs, b"tC\x04\x80\x05N.\x86R0", payload))


def _refuse_what_is_here(mark: int, where: Callable[[], str]) -> None:
    """Raise if what was pickled since has promised somebody on this machine something: a descriptor, say."""
    if issued.mark() == mark:
        return
    issued.take_back(mark)
    raise TypeError(
        f"{where()} cannot be pickled for another machine: it has a queue, lock, pipe or shared memory of this one; "
        "pass plain values and return results"
    )


def _is_there(fn: Any, module: str | None, name: str) -> bool:
    """Is the function still the one of that name? (Otherwise pickle would refuse it, and by value is another way.)"""
    there = sys.modules.get(module or "")
    return module not in MAIN_NAMES and getattr(there, name, None) is fn and not registered_by_value()


def _called(fn: Any) -> str:
    from elsewhere.runtime.packing import explain

    return explain.function_called(fn)

"""The caller's side: plain pickle where it suffices, by value where it does not, and the definitions that needs.

The law of the file: what plain pickle writes is used only if it holds no reference to `__main__`. Plain pickle writes
such a reference without complaint, and only the worker, whose `__main__` is never run, would fail on it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pickle import dumps
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from elsewhere.runtime import issued
from elsewhere.runtime.memory.buffers import LARGE, Collector
from elsewhere.runtime.memory.sharing import handles

from . import reloads

if TYPE_CHECKING:
    from pickle import PickleBuffer

    from .book import Book

__all__ = ["Definition", "LargeFunctionWarning", "Packed", "Packer", "by_reference"]

Kind = Literal["value", "args", "call", "process"]

# Also the end of "__mp_main__", which is what `__main__` calls itself in a child that multiprocessing spawned.
MAIN = b"_main__"
# Plain pickle copies a multiprocessing Connection's descriptor number, which means nothing in another process;
# the reducers that multiprocessing registered know better, and only the by-value pickler asks them.
CONNECTION = b"multiprocessing.connection"


class LargeFunctionWarning(UserWarning):
    """A function drags in globals or captured variables of more than a megabyte."""


class Packed(NamedTuple):
    """Bytes for `Namespace.loads`, and the digests of the definitions to be applied before, in that order."""

    body: bytes
    needs: tuple[bytes, ...]


class Sealer(Protocol):
    """Where large buffers and shared objects are taken care of."""

    def seal(self, body: bytes, buffers: list[PickleBuffer], definitions: list[bytes], *, blocks: bool) -> bytes:
        """The bytes that travel instead of a pickle with these buffers beside it and those definitions before it.

        Without `blocks` it stays a pickle: a function's, which a worker keeps.
        """


class Definition(NamedTuple):
    """One thing that payloads refer to by name: the arguments of `Namespace.learn`."""

    digest: bytes
    name: str
    body: bytes


_packed = tuple.__new__  # half the time of Packed(...), which counts once an item


def by_reference(fn: Callable[..., Any]) -> Packed | None:
    """The function as a name that every worker can import; None if it must travel in another way."""
    mark = issued.mark()
    try:
        body = dumps(fn, 5)
    except Exception as error:
        issued.take_back(mark)
        if is_from_handler(error, fn):
            raise
        return None
    if MAIN in body or CONNECTION in body or registered_by_value() or reloads.need_of(fn) is not None:
        issued.take_back(mark)
        return None
    return Packed(body, ())


class Packer:
    """Packs what one submit, map or imap sends; sees the globals of `__main__` as they are at first use.

    Keep it until the results are in: it keeps alive the classes that results come back as.

    Args:
        inherited: the globals that the workers have because they are forks of the caller; those travel by name.
        sealer: takes over what is large or shared; None to have everything in the pickles.

    Attributes:
        definitions: everything that the payloads made so far may need, by digest.
    """

    __slots__ = ("_book", "_buffers", "_inherited", "_sealer", "_take", "definitions")

    def __init__(self, inherited: Mapping[str, Any] | None = None, sealer: Sealer | None = None) -> None:
        self._sealer = sealer
        self._buffers = Collector()
        self._take = None if sealer is None else self._buffers.take
        self.definitions: dict[bytes, Definition] = {}
        self._book: Book | None = None
        self._inherited = inherited or {}

    def function(self, fn: Callable[..., Any]) -> Packed:
        """The function that is called; warns when it drags in more than a megabyte."""
        from . import explain

        mark = issued.mark()
        try:
            body = dumps(fn, 5)
        except Exception as error:
            if is_from_handler(error, fn):
                issued.take_back(mark)
                raise
            body = MAIN
        if MAIN in body or CONNECTION in body or registered_by_value():
            issued.take_back(mark)
            body, needs = self._by_value(fn, lambda: explain.function_called(fn), "value", share=True)
            explain.warn_if_large(fn, body, [self.definitions[digest] for digest in needs])
        else:
            needs = ()
            if handles:
                body = self._seal(body, (), blocks=False)
        return Packed(body, self._reloads(fn) + needs)

    def item(self, value: Any, where: Callable[[], str], kind: Kind = "value") -> Packed:
        """An argument.

        Args:
            value: what is sent.
            where: names it in a note if it cannot be pickled: ``"item 17 of map(score, ...)"``.
            kind: what `value` is, so that the note can name the culprit: one argument, a tuple of positional
                arguments, a pair of those and a dictionary of keyword arguments, or a process.

        Raises:
            Exception: what pickling raised, with a note that names the culprit and the cure.
        """
        mark = issued.mark()
        try:
            body = dumps(value, 5, buffer_callback=self._take)
        except Exception as error:
            if is_from_handler(error, value):
                self._buffers.clear()
                issued.take_back(mark)
                raise
        else:
            if body.find(MAIN) < 0 and body.find(CONNECTION) < 0:  # half the time of `in`
                if self._buffers or handles or len(body) >= LARGE:
                    body = self._seal(body, (), blocks=True)
                return _packed(Packed, (body, ()))
        self._buffers.clear()
        issued.take_back(mark)
        return self._by_value(value, where, kind, share=False)

    def _by_value(self, value: Any, where: Callable[[], str], kind: Kind, share: bool) -> Packed:
        if self._book is None:
            from .book import Book

            self._book = Book(self._inherited)
        mark = issued.mark()
        try:
            body, needs = self._book.pack(value, share, None if share else self._take)
        except Exception as error:
            self._buffers.clear()
            from . import explain

            explain.annotate(error, value, where, kind, self._book)
            issued.take_back(mark)
            raise
        for draft in self._book.take_new():
            self.definitions[draft.digest] = Definition(draft.digest, draft.name, draft.body)
        if handles or (not share and (self._buffers or len(body) >= LARGE)):
            body = self._seal(body, needs, blocks=not share)
        return Packed(body, needs)

    def _seal(self, body: bytes, needs: tuple[bytes, ...], *, blocks: bool) -> bytes:
        """Hand what is large or shared to the sealer."""
        buffers = self._buffers.emptied()
        if self._sealer is None:
            return body
        return self._sealer.seal(body, buffers, [self.definitions[digest].body for digest in needs], blocks=blocks)

    def _reloads(self, fn: Any) -> tuple[bytes, ...]:
        found = reloads.need_of(fn)
        if found is None:
            return ()
        self.definitions[found[0]] = Definition(*found)
        return (found[0],)


def is_from_handler(error: BaseException, value: Any) -> bool:
    """Did a signal handler raise it? Pickling itself runs the user's code, which may raise anything."""
    from elsewhere.runtime.driving import signals

    return signals.is_from_handler(error, lambda: dumps(value, 5))


def registered_by_value() -> bool:
    """Has the user asked cloudpickle to send some importable module by value?"""
    module = sys.modules.get("cloudpickle.cloudpickle")
    return bool(getattr(module, "_PICKLE_BY_VALUE_MODULES", None))  # another thread may be importing it just now

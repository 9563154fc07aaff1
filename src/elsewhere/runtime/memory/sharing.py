"""Objects that every call may use and that travel once: `Pool.share`.

Rule: a handle is pickled as its token. Whoever packs something finds the tokens in its bytes, so that nobody has to
watch the pickling; the worker puts the object in their place.
"""

from __future__ import annotations

import os
import pickle
import re
import weakref
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elsewhere.runtime.memory.parcel import Large

__all__ = ["Constant", "Shared", "constants_in", "fetch", "forget", "handles", "keep"]

PREFIX = "elsewhere-shared-"
_TOKEN = re.compile(rb"elsewhere-shared-[0-9a-f]{32}")


class Constant:
    """What was shared: lives as long as its handle, or a call that refers to it.

    Attributes:
        token: its name.
        body: its pickle, a parcel if it is large.
        needs: the definitions of ``__main__`` it needs, by digest.
        definitions: those, as `Namespace.learn` takes them.
    """

    __slots__ = ("__weakref__", "body", "definitions", "needs", "owner", "token")

    def __init__(self, owner: object, body: bytes, needs: tuple[bytes, ...], definitions: Sequence[Any]) -> None:
        self.owner = owner
        self.token = PREFIX + os.urandom(16).hex()
        self.body = body
        self.needs = needs
        self.definitions = definitions


class Shared:
    """The handle that `Pool.share` gives: pass it, and the function receives the object."""

    __slots__ = ("__weakref__", "_constant", "_kind")

    def __init__(self, constant: Constant, kind: str) -> None:
        self._constant = constant
        self._kind = kind
        handle = _Handle(self, _gone)
        handle.token = constant.token.encode()
        handles[handle.token] = handle

    def __reduce__(self) -> Any:
        return fetch, (self._constant.token,)

    def __repr__(self) -> str:
        return f"<shared {self._kind}>"


class _Handle(weakref.ref[Shared]):
    __slots__ = ("token",)
    token: bytes


handles: dict[bytes, _Handle] = {}  # of this process, by token; mostly empty


def _gone(handle: _Handle) -> None:
    handles.pop(handle.token, None)


def constants_in(owner: object, bodies: Iterable[bytes]) -> tuple[Constant, ...]:
    """The shared objects that these pickles refer to.

    Raises:
        ValueError: one of them was shared with another pool.
    """
    found: dict[Constant, None] = {}
    for body in bodies:
        for token in _TOKEN.findall(body):
            handle = handles.get(token)
            shared = None if handle is None else handle()
            if shared is None:
                continue  # a text that looks like one
            constant = shared._constant
            if constant.owner is not owner:
                raise ValueError(f"{shared!r} was shared with another pool: share the object with this one, too")
            found[constant] = None
    return tuple(found)


# ---- in the worker -----------------------------------------------------------------------------------------------


class _Kept:
    """A shared object that has arrived, loaded when a call first refers to it."""

    def __init__(self, body: bytes | Large, needs: tuple[bytes, ...], definitions: Sequence[Any]) -> None:
        self._body: bytes | Large | None = body
        self._needs = needs
        self._definitions = definitions
        self._value: Any = None

    def value(self) -> Any:
        body = self._body
        if body is not None:
            from elsewhere.runtime.packing.namespace import current

            namespace = current()
            if self._needs and namespace is not None:
                for definition in self._definitions:
                    namespace.learn(*definition)
                namespace.apply(self._needs)
            value = pickle.loads(body) if isinstance(body, bytes) else body.load(again=True)
            self._value, self._body, self._definitions = value, None, ()
        return self._value


_kept: dict[str, _Kept] = {}


def keep(token: str, body: bytes | Large, needs: tuple[bytes, ...], definitions: Sequence[Any]) -> None:
    """A shared object has arrived."""
    _kept[token] = _Kept(body, needs, definitions)


def forget(token: str) -> None:
    """No call will refer to it any more."""
    _kept.pop(token, None)


def fetch(token: str) -> Any:
    """The object that a handle stands for: what its pickle calls.

    Raises:
        pickle.UnpicklingError: this process is no worker of that pool.
    """
    kept = _kept.get(token)
    if kept is not None:
        return kept.value()
    handle = handles.get(token.encode())
    shared = None if handle is None else handle()
    if shared is None:
        raise pickle.UnpicklingError("an object shared by Pool.share can be had only in calls of that pool")
    return shared  # a copy of the handle, in the process that has it

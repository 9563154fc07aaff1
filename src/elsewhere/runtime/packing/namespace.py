"""The worker's side: one namespace for all that comes by value from the caller's `__main__`.

The law of the file: a name is bound by a shipment only while it holds what the last shipment bound (or nothing). What
the user's own code bound there stays, and an object whose bytes have not changed in the caller is not touched, so that
what the user's code did *to* it stays too.

A reference by name inside a payload means the object that was shipped, whatever the user's code has bound to the name
since: ``pool.map(score, ...)`` runs the caller's `score`.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable
from typing import Any

from . import reloads

__all__ = ["Namespace", "current"]

_MISSING = object()


class Namespace:
    """What definitions have made of this process's `__main__`; a process has one, made after its `__main__`."""

    def __init__(self) -> None:
        self.globals: dict[str, Any] = sys.modules["__main__"].__dict__
        # What a fresh module holds (its __doc__, __package__) is not the user's: shipments may replace it.
        self.shipped: dict[str, Any] = dict(self.globals)
        self._learnt: dict[bytes, tuple[str, bytes]] = {}
        self._in_force: dict[str, bytes] = {}
        self._current: set[bytes] = set()
        self._pending: dict[str, bytes] = {}  # to be loaded by the `apply` that runs
        self._begun: dict[str, bytes] = {}  # being loaded, nothing registered yet
        global _current
        _current = self

    def learn(self, digest: bytes, name: str, body: bytes) -> None:
        """Keep a definition for `apply`; nothing is unpickled yet."""
        self._learnt[digest] = (name, body)

    def forget(self, digests: Iterable[bytes]) -> None:
        """Drop the bytes of definitions; what was made of them stays."""
        for digest in digests:
            self._learnt.pop(digest, None)

    def apply(self, needs: tuple[bytes, ...]) -> None:
        """Bring those names to those definitions; one set operation when they are there already.

        Raises:
            Exception: what unpickling a definition raised; the names before it are applied, it and later ones not.
        """
        if self._current.issuperset(needs):
            return
        stale = [digest for digest in needs if digest not in self._current]
        self._pending = {self._learnt[digest][0]: digest for digest in stale}
        try:
            for digest in stale:
                name = self._learnt[digest][0]
                if name in self._pending:  # otherwise an earlier one needed it and has loaded it
                    self._load(name)
        finally:
            self._pending, self._begun = {}, {}

    def loads(self, body: bytes) -> Any:
        """The function or arguments of a `Packed` whose needs have been applied."""
        return pickle.loads(body)

    def find(self, name: str) -> Any:
        """What was shipped under `name`, loaded now if it is needed but not loaded yet."""
        if name in self._pending or name in self._begun:
            self._load(name)
        try:
            return self.shipped[name]
        except KeyError:
            raise pickle.UnpicklingError(f"{name!r} of the caller's __main__ was not sent to this worker") from None

    def register(self, name: str, value: Any) -> None:
        """An object that exists and will be filled: others that refer back to it find it already."""
        self.shipped[name] = value
        self._begun.pop(name, None)

    def _load(self, name: str) -> None:
        """Load a definition: first when it is needed, again when something that its making needs refers back to it.

        That is so for a class whose base lists its subclasses, or a table of functions that have it as a default. The
        base or the function is registered by then, so that the second attempt ends, and its object is the one that
        counts.
        """
        digest = self._pending.pop(name, b"")
        if digest:
            self._begun[name] = digest
        else:
            digest = self._begun.pop(name)
        body = self._learnt[digest][1]
        if name.startswith(reloads.PREFIX):
            reloads.reload_to(name, body)
        else:
            self._bind(name, digest, body)
        self._current.discard(self._in_force.get(name, b""))
        self._in_force[name] = digest
        self._current.add(digest)

    def _bind(self, name: str, digest: bytes, body: bytes) -> None:
        before = self.shipped.get(name, _MISSING)
        try:
            value = pickle.loads(body)
        except BaseException:
            if before is _MISSING:
                self.shipped.pop(name, None)
            else:
                self.shipped[name] = before
            raise
        self._begun.pop(name, None)
        if self._in_force.get(name) == digest:
            return  # the second attempt was first
        self.shipped[name] = value
        if name.isidentifier() and self.globals.get(name, _MISSING) is before:
            self.globals[name] = value


_current: Namespace | None = None


def current() -> Namespace | None:
    """This process's namespace; None in a process that is no worker."""
    return _current

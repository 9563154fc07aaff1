"""The machine that reads a pickle from a host: what it holds while it reads, and what it checks.

Rule: nothing here or in `opcodes` imports, calls or changes anything that was not made by this very load. What a pickle
may name, what may be called with which arguments and what may be given a state is the `World`'s to say.

It is not `pickle.Unpickler` with another ``find_class``, because that guards names only. These pass it by: REDUCE of a
class that is allowed as a value, with any arguments (``bytearray(10**12)``); BUILD, which sets attributes of classes
and of singletons such as members of an enum; the cache of the extension registry; a memo index of 2**31, for which it
takes 34 GB; and nested tuples as a key, whose hash overflows the C stack or takes 2**60 steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

__all__ = ["ATOMS", "Function", "Machine", "Malformed", "Refused", "World"]

ATOMS = frozenset({int, float, complex, bool, type(None), str, bytes})
"""Types that hold nothing else and whose hash takes no longer than they are."""

DEEP = 1_000  # levels of tuples: each takes some 100 bytes of the C stack when the outermost is hashed
MOST = 1_000_000  # parts of one tuple, those of the tuples in it too, and 16 more for each byte received
PARTS = 10_000  # parts of all keys that are tuples, and 16 more for each byte received
NESTED = 500  # levels of objects that Python frees by recursion in C


class Refused(Exception):
    """The pickle holds something that is not opened.

    Attributes:
        name: of what it is, such as ``"os.system"``.
        why: the reason, as the end of a sentence.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name = name
        self.why = why


class Malformed(Exception):
    """No pickle that a pickler has written."""


class Function:
    """Stands for a function that pickles name (``numpy.core.multiarray.scalar``): a checked one of ours.

    It must be called by the pickle that names it, and never gets out of the machine.
    """

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable[[tuple[Any, ...]], Any]) -> None:
        self.name = name
        self.call = call


class World(Protocol):
    """What a pickle may name, and what it may do with it. Each method raises `Refused` for all else."""

    def find(self, module: str, name: str) -> Any: ...

    def call(self, function: Any, args: tuple[Any, ...]) -> Any: ...

    def new(self, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...

    def build(self, made: Any, state: Any) -> None: ...

    def extend(self, made: Any, items: list[Any]) -> None: ...

    def update(self, made: Any, items: list[tuple[Any, Any]]) -> None: ...


class Machine:
    """One load of one pickle.

    Args:
        data: the pickle, whole.
        world: see `World`.
        fragile: types whose objects Python frees by recursion in C, so that a million of them, each in the next, end
            the process: `NESTED` levels of them are allowed.
    """

    def __init__(self, data: bytes | bytearray | memoryview, world: World, fragile: frozenset[type]) -> None:
        self.view = memoryview(data).cast("B")
        self.size = len(self.view)
        self.world = world
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # what was on the stack at each open MARK
        self.memo: list[Any] = []
        self.fragile = fragile
        self.depths: dict[int, int] = {}  # of fragile objects, by id; the objects live in `kept`
        self.closed: set[int] = set()  # fragile objects that are in another one
        self.kept: list[Any] = []
        self.weights: dict[int, tuple[int, int]] = {}  # of nested tuples and frozensets, by id: levels, and parts
        self.most = MOST + 16 * self.size
        self.parts = PARTS + 16 * self.size
        self.functions = 0  # named, and not called yet

    # ---- what is in what -----------------------------------------------------------------------------------------

    def weigh(self, made: tuple[Any, ...] | frozenset[Any]) -> None:
        """Refuse what nobody could hash or compare: nested deeper than the C stack, or holding itself 2**60 times."""
        deep, parts = 1, _len(made)
        for one in tuple.__iter__(made) if isinstance(made, tuple) else frozenset.__iter__(made):
            if type(one) not in ATOMS and isinstance(one, tuple | frozenset):
                inner, more = self.weights.get(id(one)) or (1, _len(one))
                deep, parts = max(deep, inner + 1), parts + more
        if deep == 1:
            self.weights.pop(id(made), None)  # of one that was here before
            return
        if deep > DEEP or parts > self.most:
            raise Refused(type(made).__name__, "it is nested so deep, or so often, that nothing should hash it")
        self.weights[id(made)] = deep, parts

    def check_key(self, key: Any) -> None:
        """Does hashing it take a time that what was received justifies, all keys taken together?"""
        if type(key) in ATOMS or not isinstance(key, tuple | frozenset):
            return
        self.parts -= self.weights.get(id(key), (1, _len(key)))[1]
        if self.parts < 0:
            raise Refused(type(key).__name__, "it is nested so often that hashing it would take for ever")

    def note(self, outer: Any, inner: Iterable[Any]) -> None:
        """`outer`, which is fragile, holds these directly."""
        deep = self.depths.get(id(outer), 1)
        for one in inner:
            if type(one) in self.fragile:
                deep = max(deep, self.depths.get(id(one), 1) + 1)
                self.closed.add(id(one))
                self.kept.append(one)
        if deep > 1:
            if deep > NESTED or id(outer) in self.closed:
                raise Refused(type(outer).__name__, "it is nested so deep that freeing it could end this process")
            self.depths[id(outer)] = deep
            self.kept.append(outer)

    # ---- the parts of opcodes ------------------------------------------------------------------------------------

    def take(self, start: int, size: int) -> memoryview:
        end = start + size
        if end > self.size:
            raise Malformed("it ends too early")
        return self.view[start:end]

    def close(self) -> list[Any]:
        """What lies above the last MARK."""
        items, self.stack = self.stack, self.below.pop()
        return items


def _len(made: tuple[Any, ...] | frozenset[Any]) -> int:
    """Whatever its class says."""
    return tuple.__len__(made) if isinstance(made, tuple) else frozenset.__len__(made)

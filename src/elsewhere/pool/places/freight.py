"""How calls become frames for a worker process: what is pickled when, and what the worker knows already.

Rule: pickling that can run user code or fail happens in the caller's thread (`prepare`, `pack`); what the driver's
thread pickles (`frames`) is plain.

A plain item is an atom, or a tuple of a few atoms: nothing about it can change, so that a run of them is pickled as one
list. Any other item is pickled alone: two calls never share an object because they happened to travel together.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from elsewhere.runtime import issued
from elsewhere.runtime.channel import Channel
from elsewhere.runtime.jobs import CallJob
from elsewhere.runtime.memory.buffers import LARGE, SINGLE, whole, whole_call
from elsewhere.runtime.memory.parcel import READONLY, SHARED, Parcel, pack
from elsewhere.runtime.memory.sharing import Constant, Shared, constants_in
from elsewhere.runtime.memory.store import Store
from elsewhere.runtime.packing import Packed, Packer
from elsewhere.sansio.frames import BATCHED, HEAP, LARGEST, TIMED, Shape, ToWorker, command, join_run

__all__ = ["Freight", "all_plain", "is_plain"]

ATOMS = frozenset({int, float, bool, type(None)})
TEXTS = frozenset({str, bytes})
KINDS: dict[int, Literal["value", "args", "call"]] = {Shape.ONE: "value", Shape.STAR: "args", Shape.BOTH: "call"}
SOME = 4096  # items looked at together: few enough for a cache
LARGEST_PLAIN = 4096  # characters or bytes of an item that is pickled together with others
LARGEST_FRAME = 1 << 26  # bytes of calls in one frame; a larger call has one of its own
KNOWN = 256  # functions and definitions a worker keeps before it is told to forget them all


class _Sealer:
    """Puts what is large into a pool's blocks, and finds the shared objects that are meant."""

    def __init__(self, owner: Freight, flags: int) -> None:
        self._owner = owner
        self._flags = flags

    def seal(self, body: bytes, buffers: list[pickle.PickleBuffer], definitions: list[bytes], *, blocks: bool) -> bytes:
        """See `elsewhere.runtime.packing.packer.Sealer`."""
        constants = constants_in(self._owner.identity, [body, *definitions])
        if blocks and (buffers or len(body) >= LARGE):
            parcel = pack(self._owner.store, body, buffers, self._flags)
        elif constants:
            parcel = Parcel(body)
        else:
            return body
        parcel.constants = constants
        return parcel


class Freight:
    """One pool's packing.

    Args:
        inherited: the globals of ``__main__`` that the workers have because they are forks of the caller.

    Attributes:
        store: the blocks for arguments.
        identity: tells this pool's shared objects from those of others.
    """

    def __init__(self, inherited: Mapping[str, Any] | None) -> None:
        self.store = Store()
        self.identity = object()
        self._inherited = inherited
        self._numbers: dict[Packed, int] = {}
        self._next_number = 0

    # ---- in the caller's thread ----------------------------------------------------------------------------------

    def prepare(self, job: CallJob) -> None:
        """Pickle the job's function."""
        job.packer = Packer(self._inherited, _Sealer(self, READONLY if job.retry is not None else 0))
        job.packed = job.packer.function(job.fn)

    def pack(self, job: CallJob, values: list[Any] | range, first: int, input_name: str) -> list[Any] | range:
        """Plain items stay as they are; others are pickled now.

        Raises:
            ValueError: an item takes 4 GiB or more.
            MemoryError: there is not enough shared memory for an item; says the sizes.
            Exception: what pickling an item raised, with a note that names it.
        """
        if all_plain(values):
            return values
        assert job.packer is not None
        item, kind, packed = job.packer.item, KINDS[job.shape], []
        for index, value in enumerate(values, first):
            if not is_plain(value):
                if kind != "value" or type(value) in SINGLE:
                    value = whole_call(value, kind)
                mark, given = issued.mark(), value
                value = item(value, functools.partial(_named, input_name, index), kind)
                if job.retry is not None and issued.mark() != mark:
                    value = value._replace(body=_keeping(value.body, given))
                if type(value.body) is Parcel:
                    job.weight = max(job.weight, value.body.weight)
                if len(value.body) > LARGEST - 1024:
                    size = f"{input_name} {index} takes {len(value.body):,} bytes"
                    raise ValueError(f"{size}; a call's arguments may take {LARGEST:,} at most: pass a file's path")
            packed.append(value)
        job.mixed = True
        if job.weight:
            job.heap = 1  # the less is under way, the warmer is its memory
        return packed

    def share(self, obj: Any) -> Shared:
        """A handle of an object that goes to each worker once.

        Raises:
            MemoryError: there is not enough shared memory; says the sizes.
            Exception: what pickling it raised, with a note.
        """
        packer = Packer(self._inherited, _Sealer(self, READONLY | SHARED))
        mark = issued.mark()
        body, needs = packer.item(whole(obj), lambda: "the object to share")
        if issued.mark() != mark:
            body = _keeping(body, obj)
        definitions = [tuple(packer.definitions[digest]) for digest in needs]
        return Shared(Constant(self.identity, body, needs, definitions), type(obj).__name__)

    # ---- in the driver's thread ----------------------------------------------------------------------------------

    def frames(self, channel: Channel, job: CallJob, lo: int, hi: int) -> list[bytes]:
        """What a worker is sent for some calls: definitions and the function if it has not got them, then the calls."""
        assert job.packed is not None
        assert job.packer is not None
        pieces: list[bytes] = []
        if len(channel.functions) + len(channel.definitions) > KNOWN:
            channel.functions.clear()
            channel.definitions.clear()
            pieces.append(command(ToWorker.FORGET))
        body, needs = job.packed
        number = job.number = job.number or self._number(job.packed)
        if type(body) is Parcel:  # it refers to shared objects
            before, body = channel.carry(body)
            pieces += before
        if needs:
            pieces += channel.learn(needs, job.packer.definitions)
        if number not in channel.functions:
            pieces += channel.teach(number, body, needs)
        items = job.take(lo, hi)
        shape = job.shape | (job.heap.bit_length() - 1) * HEAP
        if job.mixed:
            return pieces + self._each_alone(channel, job, shape, number, items)
        shape |= BATCHED if job.timeout is None else BATCHED | TIMED
        body = pickle.dumps(items, 5)
        header = command(ToWorker.RUN, len(body), shape=shape, function=number, calls=hi - lo)
        return [*pieces, header, body]

    def _each_alone(self, channel: Channel, job: CallJob, shape: int, number: int, items: Iterable[Any]) -> list[bytes]:
        """Runs whose calls are pickled one by one; several if they are large."""
        assert job.packer is not None
        pieces: list[bytes] = []
        bodies: list[bytes] = []
        needs: dict[bytes, None] = {}
        room = LARGEST_FRAME

        def close() -> None:
            assert job.packer is not None
            pieces.extend(channel.learn(needs, job.packer.definitions))
            parts = join_run(bodies, list(needs))
            size = sum(map(len, parts))
            pieces.append(command(ToWorker.RUN, size, shape=shape, function=number, calls=len(bodies)))
            pieces.extend(parts)

        for item in items:
            if type(item) is Packed:
                body, more = item
                needs.update(dict.fromkeys(more))
                if type(body) is Parcel:
                    before, body = channel.carry(body)
                    pieces += before
            else:
                body = pickle.dumps(item, 5)
            if bodies and len(body) > room:
                close()
                bodies, room = [], LARGEST_FRAME
            bodies.append(body)
            room -= len(body)
        close()
        return pieces

    def _number(self, packed: Packed) -> int:
        """The same function has the same number, whoever submits it."""
        number = self._numbers.get(packed)
        if number is None:
            if len(self._numbers) > 4 * KNOWN:
                self._numbers.clear()
            self._next_number += 1
            # A plain key: one that is a parcel would keep the shared objects it refers to.
            number = self._numbers[Packed(bytes(packed.body), packed.needs)] = self._next_number
        return number


def _keeping(body: bytes, value: Any) -> Parcel:
    """What is opened more than once: a ticket keeps a queue, a lock or an array in it for the first time only."""
    parcel = body if type(body) is Parcel else Parcel(body)
    parcel.kept = value
    return parcel


def all_plain(values: list[Any] | range) -> bool:
    """Are all of these plain?"""
    if type(values) is range:
        return True
    kind = type(values[0]) if values else int
    if (
        kind in ATOMS
        and all(  # what most are, in half the time that a set of their types takes
            list(map(type, some)).count(kind) == len(some)
            for some in (values[at : at + SOME] for at in range(0, len(values), SOME))
        )
    ):
        return True
    kinds = set(map(type, values))
    if kinds <= ATOMS:
        return True
    if kinds <= ATOMS | TEXTS:
        return all(len(value) <= LARGEST_PLAIN for value in values if type(value) in TEXTS)
    return kinds == {tuple} and all(map(is_plain, values))


def is_plain(value: Any) -> bool:
    """Does it travel as it is?"""
    kind = type(value)
    if kind in ATOMS:
        return True
    if kind in TEXTS:
        return len(value) <= LARGEST_PLAIN
    if kind is not tuple or len(value) >= 8:
        return False
    return ATOMS.issuperset(map(type, value)) or all(type(part) is not tuple and is_plain(part) for part in value)


def _named(input_name: str, index: int) -> str:
    return f"{input_name} {index}"

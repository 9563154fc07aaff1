"""How calls become frames for a far worker.

Rule: pickling that can run user code or fail happens in the caller's thread (`prepare`, `pack`); what the driver's
thread pickles (`frames`) is plain.
"""

from __future__ import annotations

import pickle
import sys
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

from elsewhere.pool.far.channel import Channel
from elsewhere.pool.places.freight import all_plain, is_plain
from elsewhere.runtime.far import worker as wire
from elsewhere.runtime.far.packing import Body, Constant, Packer
from elsewhere.runtime.jobs import CallJob
from elsewhere.sansio.frames import Shape

__all__ = ["Freight"]

KNOWN = 256  # functions a worker keeps before it is told to forget them all
LARGEST_FRAME = 1 << 26  # bytes of calls in one frame; a larger call has one of its own
LENT = 1 << 20  # bytes of a shared object from which on workers of a machine have it from each other
HEAVY = 1 << 16  # bytes of an item from which on it counts what is under way
MINOR = sys.version_info[:2]
KINDS: dict[int, Literal["value", "args", "call"]] = {Shape.ONE: "value", Shape.STAR: "args", Shape.BOTH: "call"}


class Freight:
    """One pool's packing.

    Args:
        packer: turns functions and arguments into bodies.
        unshared: told the token of a shared object when nothing refers to it any more, from any thread.
    """

    def __init__(self, packer: Packer, unshared: Callable[[int], None]) -> None:
        self.packer = packer
        self._unshared = unshared
        self._watched: dict[int, weakref.ref[Constant]] = {}
        self._lenders: dict[tuple[int, int], Channel] = {}  # by site and token
        self._numbers: dict[Body, int] = {}
        self._next_number = 0

    # ---- in the caller's thread --------------------------------------------------------------------------------------

    def prepare(self, job: CallJob) -> None:
        """Pickle the job's function."""
        job.packed = self.packer.function(job.fn)  # type: ignore[assignment]  # a place's own kind of packed function
        job.packer = _NOTHING  # type: ignore[assignment]  # its calls have no definitions apart from themselves

    def pack(self, job: CallJob, values: list[Any] | range, first: int, input_name: str) -> list[Any] | range:
        """Plain items stay as they are; others are pickled now.

        Raises:
            Exception: what pickling an item raised, with a note that names it.
        """
        if all_plain(values):
            return values
        item, packed = self.packer.item, []
        for index, value in enumerate(values, first):
            if not is_plain(value):
                value = item(value, partial(_named, input_name, index), KINDS[job.shape])
                job.weight = max(job.weight, len(value.data) if len(value.data) >= HEAVY else 0)
            packed.append(value)
        job.mixed = True
        return packed

    # ---- in the driver's thread --------------------------------------------------------------------------------------

    def frames(self, channel: Channel, job: CallJob, lo: int, hi: int) -> list[bytes]:
        """What a worker is sent for some calls: what they refer to, as far as it has not got it, then the calls."""
        body: Body = job.packed  # type: ignore[assignment]  # see `prepare`
        pieces: list[bytes] = []
        if len(channel.functions) >= KNOWN:
            pieces += [wire.frame(wire.FORGET, number=number) for number in channel.functions]
            channel.functions.clear()
        number = job.number = job.number or self._number(body)
        if number not in channel.functions:
            channel.functions.add(number)
            pieces += self.carried(channel, body)
            pieces += _frame(wire.FUNCTION, self.variant(channel, body), number=number)
        items = job.take(lo, hi)
        if not job.mixed:
            payload = pickle.dumps(items, 5)
            return [*pieces, *_frame(wire.RUN, wire.COUNT.pack(hi - lo) + payload, job.shape | wire.BATCHED, number)]
        return pieces + self._each_alone(channel, items, job.shape, number)

    def _each_alone(self, channel: Channel, items: Iterable[Any], shape: int, number: int) -> list[bytes]:
        """Runs whose calls are pickled one by one; several if they are large."""
        pieces: list[bytes] = []
        bodies: list[bytes] = []
        size = 0
        for item in items:
            if type(item) is Body:
                pieces += self.carried(channel, item)
                data = self.variant(channel, item)
            else:
                data = pickle.dumps(item, 5)
            if bodies and size + len(data) > LARGEST_FRAME:
                pieces += _run(bodies, shape, number)
                bodies, size = [], 0
            bodies.append(data)
            size += len(data)
        return pieces + _run(bodies, shape, number)

    def variant(self, channel: Channel, body: Body) -> bytes:
        """The bytes that this worker's Python can load; byte code of another one's is never sent."""
        if channel.version[:2] == MINOR:
            return body.data
        if body.source is not None:
            return body.source
        theirs, mine = ".".join(map(str, channel.version[:2])), ".".join(map(str, MINOR))
        where = channel.name or "the worker"
        return _refusing(f"{where} has Python {theirs}, this is {mine}, and byte code does not travel: {body.refusal}")

    def carried(self, channel: Channel, body: Body) -> list[bytes]:
        """The shared objects that a body refers to and the worker has not got."""
        pieces: list[bytes] = []
        for constant in body.constants:
            token = constant.token
            if token in channel.tokens:
                continue
            channel.tokens.add(token)
            if token not in self._watched:
                self._watched[token] = weakref.ref(constant, lambda _, token=token: self._gone(token))  # type: ignore[misc]  # inferred
            pieces += self.carried(channel, constant.body)
            pieces += self._share(channel, token, self.variant(channel, constant.body))
        return pieces

    # ---- what is lent ------------------------------------------------------------------------------------------------

    def _share(self, channel: Channel, token: int, data: bytes) -> list[bytes]:
        """A shared object: what is large goes to each machine once, and its workers have it from each other."""
        if channel.site is None or len(data) < LENT:
            return _frame(wire.SHARE, data, number=token)
        place = channel.site, token
        lender = self._lenders.setdefault(place, channel)
        if lender is channel or lender.version[:2] != channel.version[:2] or lender.pid is None:
            return _frame(wire.SHARE, data, wire.LENT, token)
        return [wire.frame(wire.SHARE, wire.RANGE.pack(lender.pid, len(data)), wire.BORROWED, token)]

    def again(self, channel: Channel, token: int) -> list[bytes]:
        """A shared object for a worker whose lender has gone; it lends it from now on. Once for each."""
        if channel.site is None or token not in channel.tokens or token in channel.wanted:
            return []
        channel.wanted.add(token)
        watched = self._watched.get(token)
        constant = None if watched is None else watched()
        if constant is None:
            return _frame(wire.SHARE, _refusing("the shared object has gone"), wire.LENT, token)
        self._lenders[channel.site, token] = channel
        return _frame(wire.SHARE, self.variant(channel, constant.body), wire.LENT, token)

    def forget(self, *, channel: Channel | None = None, token: int | None = None) -> None:
        """A worker has gone, or a shared object."""
        for place, lender in list(self._lenders.items()):
            if lender is channel or place[1] == token:
                del self._lenders[place]

    def _gone(self, token: int) -> None:
        self._watched.pop(token, None)
        self._unshared(token)

    def _number(self, body: Body) -> int:
        """The same function has the same number, whoever submits it."""
        key = body._replace(constants=()) if body.constants else body  # they would live as long as this
        number = self._numbers.get(key)
        if number is None:
            if len(self._numbers) > 4 * KNOWN:
                self._numbers.clear()
            self._next_number += 1
            number = self._numbers[key] = self._next_number
        return number


class _Nothing:
    """Stands for a packer whose calls need nothing but themselves."""

    def __init__(self) -> None:
        self.definitions: dict[bytes, Any] = {}


_NOTHING = _Nothing()


def _frame(kind: int, payload: bytes, flags: int = 0, number: int = 0) -> list[bytes]:
    """A frame in pieces, so that what is large is not copied."""
    return [wire.header(kind, len(payload), flags, number), payload]


def _run(bodies: list[bytes], shape: int, number: int) -> list[bytes]:
    sized = [piece for body in bodies for piece in (wire.ORDINAL.pack(len(body)), body)]
    size = wire.COUNT.size + sum(map(len, sized))
    return [wire.header(wire.RUN, size, shape, number), wire.COUNT.pack(len(bodies)), *sized]


def _refusing(text: str) -> bytes:
    """A body that raises this when it is loaded, so that it fails the call it belongs to, in its turn."""
    return b"\x80\x04celsewhere_far\nrefuse\n" + pickle.dumps((text,), 2)[2:-1] + b"R."


def _named(input_name: str, index: int) -> str:
    return f"{input_name} {index}"

"""A lane's near end: the line of bytes to one far worker beside a Dask worker.

Rule: knows bytes and the order they go in. Lives in the client's event loop, but for `send` and `kill`, which come from
the thread that drives.

::

    send ─┬─ with calls in it ──> a Dask task on that worker, one for each sending
          └─ all else ──────────> a message, which does not wait for a thread there
    events from the keeper, in the order of their numbers ──> driver
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from elsewhere.errors import ElsewhereError, WorkerLost, WorkerStartError
from elsewhere.runtime.far import worker as wire

if TYPE_CHECKING:
    from elsewhere.cluster.desk import Desk

__all__ = ["Hears", "LaneLine", "frames_of"]

PATIENCE = 3.0  # seconds that a killed child may take to be reported, before it is taken for gone
AGAIN = 3  # times that a task is handed over, if Dask lost what it needs before it began
NOW = frozenset((wire.SKIP, wire.INTERRUPT, wire.MODULE, wire.DUMP, wire.WITHDRAW, wire.SETUP, wire.SHARE))


class Hears(Protocol):
    """What the driver is told, in its own thread: see `FarDriver` and `DaskDriver`."""

    def heard(self, key: int, data: bytes, busy: bool) -> None: ...
    def ended(self, key: int, status: int | None, error: ElsewhereError | None, words: str) -> None: ...
    def post(self, event: Any, *args: Any) -> None: ...


class Errand:
    """One Dask task of ours.

    Args:
        number: the visits of a lane are counted from 0.
        pieces: bytes for the child.
        calls: how many there are in them.
    """

    def __init__(self, number: int, pieces: list[Any], calls: int) -> None:
        self.number, self.pieces, self.calls = number, pieces, calls
        self.future: Any = None
        self.tries = 0


class LaneLine:
    """The line to one far worker.

    Args:
        desk: the pool's business with the cluster.
        key: the scheduler's name for it.
        address: of the Dask worker.
        hears: the driver.

    Attributes:
        name: "", as what calls print belongs to no machine that the user has named.
        working: is the child in a call, as far as is known here?
        since: when it began to work (`time.monotonic` of the driver's thread).
    """

    def __init__(self, desk: Desk, key: int, address: str, hears: Hears) -> None:
        self.name = ""
        self.key, self.address = key, address
        self.lane = f"{desk.topic}-{key}"
        self.working = False
        self.since = 0.0
        self._desk, self._hears = desk, hears
        self._errands: dict[int, Errand] = {}
        self._next = 0  # number of the next visit
        self._begun = 0  # visits that have begun
        self._home = ""
        self._told: dict[int, dict[str, Any]] = {}  # events that came before an earlier one
        self._expected = 0
        self._fetching = False
        self.over = False  # has it ended?

    # ---- from the driver's thread ----------------------------------------------------------------------------------

    def open(self) -> None:
        """Have the child started."""
        self._desk.call(self._visit, [], 0)

    def send(self, pieces: Sequence[bytes]) -> None:
        """Send these, in order."""
        self._desk.call(self._send, list(pieces))

    def kill(self) -> None:
        """End the child, whatever it does."""
        self._desk.call(self._kill)

    # ---- out -------------------------------------------------------------------------------------------------------

    def _send(self, pieces: list[bytes]) -> None:
        if self.over:
            return
        frames = list(frames_of(pieces))
        calls = sum(_calls(parts) for kind, parts in frames if kind == wire.RUN)
        if calls:
            self._visit([piece for _, parts in frames for piece in parts], calls)
            return
        for kind, parts in frames:
            if kind == wire.EXIT and not self._begun:  # its thread there may be taken for long
                self._kill()
                return
            verb = "withdraw" if kind == wire.WITHDRAW else "now" if kind in NOW else "later"
            self._desk.tell(self.address, self.lane, self._next, verb, b"".join(parts))

    def _visit(self, pieces: list[Any], calls: int) -> None:
        errand = self._errands[self._next] = Errand(self._next, pieces, calls)
        self._next += 1
        self._desk.hand_over(self, errand)

    def _kill(self) -> None:
        if self.over:
            return
        self._desk.tell(self.address, self.lane, 0, "kill", b"")
        for number, errand in self._errands.items():
            if number >= self._begun and errand.future is not None:
                self._desk.cancel(errand.future)
        if not self._expected and self._begun == 0:  # it has not been heard of: it may never be
            self._desk.later(PATIENCE / 6, self.end, None, None, "")
        self._desk.later(PATIENCE, self.end, None, None, "")

    # ---- in --------------------------------------------------------------------------------------------------------

    def hear(self, said: dict[str, Any]) -> None:
        """An event of the keeper's."""
        if self.over:
            return
        if "error" in said:
            self.end(None, WorkerStartError(f"Dask worker {self.address}: {said['error']}"), "")
        elif "gone" in said or said.get("home") != (self._home or said.get("home")):
            self.lose("it has been started again")
        else:
            self._home = said["home"]
            self._told[said["n"]] = said
            self._advance()

    def _advance(self) -> None:
        while not self._fetching and not self.over and (said := self._told.pop(self._expected, None)) is not None:
            self._expected += 1
            self._forget_errands(said["visits"])
            if "size" in said:
                self._fetching = True
                self._desk.spawn(self._fetch(said))
            else:
                self._pass_on(said, said["data"])

    async def _fetch(self, said: dict[str, Any]) -> None:
        data = await self._desk.fetch(self.address, self.lane, said["n"])
        self._fetching = False
        if data is None:
            self.lose("what its calls have answered could not be fetched")
        elif not self.over:
            self._pass_on(said, data)
            self._advance()

    def _pass_on(self, said: dict[str, Any], data: Any) -> None:
        self._hears.post(self._hears.heard, self.key, data, said["busy"])
        if "end" in said:
            words = bytes(said["words"]).decode("utf-8", "replace").strip()
            last = words.splitlines()[-1] if words else ""
            place = f"beside the Dask worker {self.address}"
            self.end(said["end"], None, f"{place}: {last}" if last else place)

    def _forget_errands(self, begun: int) -> None:
        """The key of the last visit that has begun is what keeps the child; those before are over."""
        for number in range(self._begun, min(begun, self._next)):
            if (errand := self._errands.get(number)) is not None:
                errand.pieces = []  # it will not be handed over again
        self._begun = max(self._begun, begun)
        for number in [number for number in self._errands if number < self._begun - 1]:
            del self._errands[number]

    # ---- trouble ---------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """See whether Dask has done something else to our tasks than to run them."""
        for errand in list(self._errands.values()):
            status = "pending" if errand.future is None else errand.future.status
            if status in ("error", "cancelled", "lost") and not self.over:
                if status != "error" and errand.number >= self._begun and errand.tries < AGAIN:
                    self._desk.hand_over(self, errand)  # what it needs was lost with a worker; it has not begun
                else:
                    self._desk.spawn(self._explain(errand))

    async def _explain(self, errand: Errand) -> None:
        why = await self._desk.reason(errand.future)
        self.lose(f"a task of ours there came to nothing: {why}")

    def lose(self, why: str) -> None:
        """The child is not to be reached any more."""
        self.end(None, WorkerLost(f"the Dask worker {self.address} is lost: {why}"), "")

    def end(self, status: int | None, error: ElsewhereError | None, words: str) -> None:
        """Nothing more comes."""
        if not self.over:
            self.over = True
            self._errands.clear()
            self._told.clear()
            self._desk.forget(self)
            self._hears.post(self._hears.ended, self.key, status, error, words)


def frames_of(pieces: Sequence[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Kind and pieces of each frame: a frame is whole, or its header is a piece and its payload the following ones."""
    at = 0
    while at < len(pieces):
        kind, _, _, _, size = wire.HEADER.unpack_from(pieces[at])
        parts, missing = [pieces[at]], wire.HEADER.size + size - len(pieces[at])
        at += 1
        while missing > 0:
            parts.append(pieces[at])
            missing -= len(pieces[at])
            at += 1
        yield kind, parts


def _calls(parts: list[bytes]) -> int:
    """How many calls a RUN holds."""
    payload = parts[1] if len(parts) > 1 else parts[0][wire.HEADER.size :]
    return int(wire.COUNT.unpack_from(payload)[0])


async def gently(work: Any) -> Any:
    """Its result, or None where Dask could not give it."""
    try:
        return await work
    except asyncio.CancelledError:
        raise
    except Exception:  # noqa: BLE001 - a worker or the scheduler that is going away fails in many ways
        return None

"""imap and imap_unordered: lazy at both ends.

Rule: no more inputs are read ahead of the consumer than the window allows; results come one by one, as they are done.

::

    source ── feed: read, pack ──> driver ──> workers ──> deliver ──> _ready ── next() ──> consumer
                   ^                                                              │
                   └───────── window: read but not consumed ──────────────────────┘

A list, tuple or range cannot block, so the consumer's own thread feeds it. Anything else is read by a thread of its
own: a generator that blocks delays nothing that is already done.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from elsewhere.call import Options
from elsewhere.errors import PoolClosed
from elsewhere.pool.arguments import tell_how_far
from elsewhere.pool.outcomes.results import AHEAD_BYTES, Raised
from elsewhere.runtime.driving.driver import Driver
from elsewhere.runtime.driving.signals import Condition, Deferred
from elsewhere.runtime.jobs import CallJob
from elsewhere.sansio.frames import Shape
from elsewhere.sansio.scheduling.credits import ahead

if TYPE_CHECKING:
    from elsewhere.progress import Progress

__all__ = ["CallResult", "StreamJob"]

QUICK = (list, tuple, range)  # sources that cannot block
NOTHING = object()
HEAP = 8  # the consumer of many results notices 4 ms less than what each bell costs


class CallResult(NamedTuple):
    """One call of `Pool.calls`.

    Attributes:
        index: which one it was, from 0, in the inputs' order.
        input: what it was given.
        value: what it returned; None if it failed.
        error: what it raised, or how it was lost; None if it returned.
        attempt: how many times it was run, from 1.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on a record
    input: Any
    value: Any
    error: BaseException | None
    attempt: int


class StreamJob(CallJob):
    """The calls of one imap.

    Args:
        source: the inputs.
        size: the pool's workers, for the window.
        ordered: results in the inputs' order, or as they are done.
        detail: give `CallResult` instead of values.
    """

    __slots__ = (
        "_consumed",
        "_early",
        "_end",
        "_feeder",
        "_inputs",
        "_next",
        "_reading",
        "_ready",
        "_refill_at",
        "bar",
        "changed",
        "detail",
        "done",
        "driver",
        "dropped",
        "eager",
        "exhausted",
        "fed",
        "iterator",
        "on_exhausted",
        "ordered",
        "quick",
        "return_exceptions",
        "wakers",
    )  # fmt: skip

    def __init__(
        self,
        fn: Callable[..., Any],
        options: Options,
        shape: Shape,
        chunk: int | None,
        driver: Driver,
        source: Iterable[Any],
        *,
        ordered: bool,
        return_exceptions: bool = False,
        detail: bool = False,
        bar: Progress | None = None,
    ) -> None:
        super().__init__(fn, options, shape, chunk)
        self.driver = driver
        self.heap = HEAP
        self.ordered = ordered
        self.return_exceptions = return_exceptions
        self.detail = detail
        self.bar = bar
        self.iterator: Iterator[Any] = iter(source)
        self.quick = type(source) in QUICK
        self.items: dict[int, Any] = {}
        self.changed = Condition()
        self.wakers: list[Callable[[], None]] = []
        self.exhausted = self.eager = self.dropped = False
        self.on_exhausted: Callable[[], None] | None = None
        self.fed = self.done = self._consumed = 0
        self._ready: deque[Any] = deque()
        self._early: dict[int, Any] = {}  # ordered: results whose turn has not come
        self._inputs: dict[int, Any] = {}
        self._next = 0  # ordered: the index whose turn it is
        self._refill_at = 1  # results consumed at which to read on
        self._end: BaseException | None = None  # what reading the inputs raised
        self._feeder: threading.Thread | None = None
        self._reading = threading.Lock()

    @property
    def size(self) -> int:
        """How many workers there are to be, which may change."""
        return max(1, self.driver.width)

    # ---- reading the inputs --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to read."""
        if self.quick:
            self.feed()
        else:
            self.feed_in_background()

    def window(self) -> int:
        """How many inputs may be read and not consumed: what keeps the workers busy twice over."""
        window = 2 * self.size * max(ahead(self), self.chunk or 0)
        if self.weight:  # large items: what lies ready takes memory, and a worker needs one ahead to be kept busy
            window = min(window, max(self.size + 1, AHEAD_BYTES // self.weight))
        return window

    def feed(self) -> None:
        """Read as much as the window allows, in the consumer's thread."""
        with Deferred():  # inputs that were read and not handed over would be missing for ever
            if not self._reading.acquire(blocking=False):
                return  # another consumer is at it
            try:
                if not self.fed:  # a few, to see how large they are
                    self._read(max(self.size, self.chunk or 1))
                room = self.window() - (self.fed - self._consumed)
                if room > 0 and not self.exhausted:
                    self._read(max(room, self.chunk or 1))
            finally:
                self._reading.release()

    def _read(self, count: int) -> None:
        values: list[Any] = []
        failure = None
        try:
            values.extend(islice(self.iterator, count))  # keeps what came before an error
        except BaseException as error:  # noqa: BLE001 - raised at its place, in the consumer
            failure = error
            seen = self.fed + len(values)
            odd = min(len(values), seen % (self.chunk or 1))  # no whole chunk: left out, as multiprocessing does
            del values[len(values) - odd :]
            called = f"the last {odd}, which are no whole chunk, were not called" if odd else "these were called"
            tell_how_far(error, seen, f"{called}, and here it ends")
        if self.exhausted:  # dropped while the source kept us waiting
            return
        step = self.size if self.weight else max(1, len(values))  # large ones bit by bit: workers begin meanwhile
        for lo in range(0, len(values), step):
            self._push(values[lo : lo + step])
        if len(values) < count:
            self._exhaust(failure)

    def _push(self, values: list[Any]) -> None:
        """Pack inputs and hand them over; one that cannot be packed fails at its place."""
        lo = self.fed
        if self.detail:
            self._inputs.update(zip(range(lo, lo + len(values)), values, strict=True))
        self.fed = lo + len(values)
        try:
            packed = self.driver.pack(self, values, lo, "item")
        except Exception as error:  # noqa: BLE001 - whatever pickling raises is that input's failure
            if len(values) > 1:
                self.fed = lo
                for value in values:
                    self._push([value])
            else:
                self.fail(lo, error, 0)
            return
        self.items.update(zip(range(lo, self.fed), packed, strict=True))
        self.driver.add(self, lo, self.fed)

    def feed_in_background(self) -> None:
        """Read in a thread of its own."""
        if self._feeder is None and not self.exhausted:
            with Deferred():
                self._feeder = threading.Thread(target=self._feed, name=f"elsewhere-inputs-{self.name}", daemon=True)
                self._feeder.start()

    def _feed(self) -> None:
        step = self.chunk or 1
        while not self.exhausted:
            if self.fed - self._consumed >= self.window() and not self.eager:
                with self.changed:
                    self.changed.wait_for(
                        lambda: self.eager or self.exhausted or self.fed - self._consumed < self.window()
                    )
                continue
            with self._reading:
                self._read(step)

    def _exhaust(self, error: BaseException | None) -> None:
        with self.changed:
            if self.exhausted:
                return
            self.exhausted = True
            self._end = error
        self._notify()
        if self.on_exhausted is not None:
            self.on_exhausted()

    def run_to_the_end(self) -> None:
        """The pool waits for everything: read on without a consumer."""
        with Deferred():
            with self.changed:
                self.eager = True
                self.changed.notify_all()
            self.feed_in_background()

    def stop_reading(self) -> None:
        """Read no more inputs; what was read goes on."""
        with Deferred():
            self._exhaust(None)

    def drop(self) -> None:
        """Nobody wants the rest."""
        with Deferred():
            with self.changed:
                self.dropped = True
            self._exhaust(None)
            self.driver.drop(self)
            if self.bar is not None:
                self.bar.close()
            self._notify()

    # ---- outcomes, on the driver's thread ------------------------------------------------------------------------

    def deliver(self, lo: int, hi: int, values: Sequence[Any]) -> None:
        """Values for a range."""
        for index in range(lo, hi):
            self.items.pop(index, None)
        if self.detail:
            values = [self._detail(lo + at, value, None, self.attempts(lo + at)) for at, value in enumerate(values)]
        self._arrive(lo, values, 0)

    def fail(self, index: int, error: BaseException, attempts: int) -> None:
        """An error for one."""
        self.items.pop(index, None)
        value = self._detail(index, None, error, attempts) if self.detail else Raised(error)
        self._arrive(index, [value], 1)

    def _detail(self, index: int, value: Any, error: BaseException | None, attempts: int) -> CallResult:
        return CallResult(index, self._inputs.pop(index, None), value, error, attempts)

    def abort(self, error: BaseException) -> None:
        """Fail what is left."""
        self._exhaust(None)
        for index in list(self.items):
            self.fail(index, error, 0)

    def release(self, index: int) -> None:
        """No call of an imap is cancelled alone."""

    def _arrive(self, lo: int, values: Sequence[Any], failed: int) -> None:
        with self.changed:
            if not self.ordered:
                self._ready.extend(values)
            elif lo == self._next and not self._early:
                self._ready.extend(values)
                self._next = lo + len(values)
            else:
                self._early.update(zip(range(lo, lo + len(values)), values, strict=True))
                while self._next in self._early:
                    self._ready.append(self._early.pop(self._next))
                    self._next += 1
            self.done += len(values)
        if self.bar is not None:
            self.bar.advance(len(values), failed)
        self._notify()

    def _notify(self) -> None:
        with self.changed:
            wakers, self.wakers = self.wakers, []
            self.changed.notify_all()
        for wake in wakers:
            wake()
        self.driver.nudge()

    # ---- the consumer --------------------------------------------------------------------------------------------

    def take_one(self) -> Any:
        """The next result if it is there, else `NOTHING`; raises StopIteration at the end, or why there are no more."""
        try:
            value = self._ready.popleft()
        except IndexError:
            return self._nothing()
        self._consumed += 1
        if self._consumed >= self._refill_at:
            try:
                self._refill()
            except BaseException:  # from a signal handler
                self._consumed -= 1
                self._ready.appendleft(value)
                raise
        return value

    def _refill(self) -> None:
        """Half of the window is used up: read on."""
        if self.exhausted:
            self._refill_at = sys.maxsize
            return
        if self._feeder is None:
            self.feed()
        else:
            with self.changed:
                self.changed.notify_all()
        self._refill_at = max(self.fed - self.window() // 2, self._consumed + 1)

    def _nothing(self) -> Any:
        if self.dropped:
            raise PoolClosed("the rest of this imap was dropped when its pool was left or terminated")
        if self.exhausted and self.done == self.fed and not self._ready:
            if self._end is not None:
                error, self._end = self._end, None
                raise error
            if self.bar is not None:
                self.bar.close()
            raise StopIteration
        if not self.exhausted and self.fed == self._consumed:
            self._refill()
        return NOTHING

    def wait_for_one(self, timeout: float | None) -> Any:
        """The next result, waited for at most `timeout` seconds; `NOTHING` if it did not come."""
        value = self.take_one()
        while value is NOTHING:
            if not self.driver.wait(self._anything, timeout, self._subscribe):
                return NOTHING
            value = self.take_one()
        return value

    def _anything(self) -> bool:
        return bool(self._ready) or self.dropped or (self.exhausted and self.done == self.fed)

    def call_when_ready(self, wake: Callable[[], None]) -> None:
        """Call `wake` once, from any thread, when `take_one` is worth another look, for somebody who cannot drive."""
        self._subscribe(wake)
        self.driver.attend()

    def _subscribe(self, wake: Callable[[], None]) -> None:
        with self.changed:
            if not self._anything():
                self.wakers.append(wake)
                return
        wake()

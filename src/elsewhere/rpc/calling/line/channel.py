"""One connection below its calls: who sends, who reads, who waits.

Rule: a thread that waits does the work. The first one has the *turn*: it reads, and hands out what is others'. When it
leaves, the next one has the turn; a call alone on its connection has no hand-over at all. Sending never waits, so it is
done at once, under the mutex. What does not go is left to whoever waits for it; it reads meanwhile if nobody else does,
as two sides that only send would wait for each other for ever.

The main thread does all this inside `Deferred`, where no signal's handler can raise halfway.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from elsewhere.errors import MessageTooLarge, ProtocolError
from elsewhere.rpc.calling.line.stream import Stream
from elsewhere.rpc.calling.terms import Lone, Slot
from elsewhere.runtime.driving.signals import Deferred
from elsewhere.runtime.spin import wait_soon
from elsewhere.sansio.msgpackrpc import Message, Wire
from elsewhere.sansio.spinning import Spinning
from elsewhere.sansio.trial import Trial

__all__ = ["Channel"]

BURST = 65536  # bytes that are gathered before they are sent
AFTER_LARGE = 8  # messages that are looked at before they are read, which is a system call each
HEARS = 0.5  # seconds; a signal may hit another thread, or the main one on its way to sleep: no sleep ends with it then
SLICE = 0.05  # seconds after which who waits to send looks whether it should also read


class Channel:
    """See the module. Once it has ended it stays so.

    Attributes:
        address: the far side's, as a URL.
        mutex: for all that follows, and for packing. Who enters it first looks whether it is in there already: the
            collector may run a destructor anywhere, and that may call the client.
        ended: why it has; "" while it is well.
        cause: the exception that ended it, if there is one.
        queued: bytes that were to be sent, since the beginning.
        written: bytes of them that the kernel has taken.
        flushed: when they were sent last; of `time.monotonic`.
        reading: somebody has the turn.
        driven: changes whenever somebody gives the turn away.
        serves: changes whenever somebody who waits gets an answer from another thread.
        out: what is to be sent, in order.
        broken: nothing can be sent any more; who reads will see why.
        parked: who could take the turn, in order.
    """

    def __init__(self, stream: Stream, wire: Wire, address: str) -> None:
        self.stream = stream
        self.wire = wire
        self.address = address
        self.mutex: Any = threading.RLock()
        self.ended = ""
        self.cause: Exception | None = None
        self.queued = self.written = self.driven = self.serves = 0
        self.flushed = 0.0
        self.reading = False
        self.out: list[bytes | memoryview] = []
        self.broken = False
        self._spinning = Spinning()
        self._trial = Trial()
        self.large = 0  # so many messages are looked at before they are read
        self.parked: dict[Any, None] = {}

    def entered(self) -> bool:
        """Is this thread in the middle of something here? Then a destructor of the user's has been called there."""
        return bool(self.mutex._is_owned())

    # ---- for who knows what messages mean ----------------------------------------------------------------------------

    def dispatch(self, messages: list[Message]) -> None:
        """With the turn, without the mutex: hand these out."""
        raise NotImplementedError

    def orphaned(self, pending: list[tuple[int, Any]]) -> None:
        """It has ended: these will have no answer."""
        raise NotImplementedError

    def left(self) -> None:
        """With the mutex: nobody has the turn any more, or something is left to be sent."""

    # ---- sending: all with the mutex ---------------------------------------------------------------------------------

    def append(self, data: bytes) -> int:
        """Have it sent after all the rest; gives what `written` will then be."""
        self.queued += len(data)
        if not self.broken and not self.ended:
            self.out.append(data)
        return self.queued

    def flush(self) -> None:
        """Send what goes without waiting."""
        out = self.out
        while out:
            size = len(out[0])
            try:
                if size >= BURST or len(out) == 1:
                    sent = self.stream.send(out[0])
                elif len(out[1]) >= BURST:
                    size += len(out[1])
                    sent = self.stream.send_two(out[0], out[1])
                else:
                    size = self._gather()
                    sent = self.stream.send(out[0])
            except OSError as error:
                self.cannot_send(error)
                return
            self.written += sent
            if sent == size and size == len(out[0]):
                del out[0]
            elif not self._sent(sent) or sent < size:
                return

    def _sent(self, count: int) -> bool:
        """Forget so many bytes of what is to be sent; were there any?"""
        some = count > 0
        while count:
            data = self.out[0]
            if count < len(data):
                self.out[0] = memoryview(data)[count:]
                break
            count -= len(data)
            del self.out[0]
        return some

    def _gather(self) -> int:
        """Make the first of them one, and say its size. What was sent in part stays in front: TLS sends it again."""
        size = count = 0
        for data in self.out:
            if count and size + len(data) > 4 * BURST:
                break
            size += len(data)
            count += 1
        joined = b"".join(self.out[:count])
        self.out[:count] = [joined]
        return size

    def cannot_send(self, error: OSError) -> None:
        # What had been sent may have been answered, so the stream is read to its end.
        self.broken = True
        self.out.clear()
        if error.errno is None or type(error).__module__ == "ssl":
            self.stream.shutdown()

    # ---- waiting -----------------------------------------------------------------------------------------------------

    def join(self, slot: Slot) -> None:
        """With the mutex: take the turn, or a place among those who may."""
        if self.reading:
            self.parked[slot] = None
        else:
            self.reading = slot.reads = True

    def wait(self, slot: Slot, done: Callable[[], bool], deadline: float, calm: Deferred, goal: int = 0) -> bool:
        """Make it go until `done()`; False if the deadline was before that. `join` was called.

        Args:
            goal: what `written` has to reach, for which nobody else cares.
        """
        try:
            while not done():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                if slot.reads:
                    self.read(left, calm)
                elif self.written < goal and not self.broken:
                    calm.sleep(self._until_writable, min(left, SLICE))
                    with self.mutex:
                        self.flush()
                else:
                    calm.sleep(self._sleep, (slot, left))
            return True
        finally:
            self._leave(slot)

    def read(self, seconds: float, calm: Deferred) -> None:
        """With the turn: wait for bytes, at most so long, and handle them."""
        if self.out:
            if not self.stream.look():
                calm.sleep(self._until_either, min(seconds, SLICE))
                self.stream.look()
            with self.mutex:
                self.flush()
        elif not self.stream.inbox:
            calm.sleep(self.receive, seconds)
        self.take()

    def receive(self, seconds: float) -> None:
        """With the turn: wait for bytes. For a lone answer, it may be quicker to look a while before sleeping."""
        receive = self.stream.receive
        if seconds > HEARS:  # noqa: PLR1730 - on the way of each call, and min() costs three times as much
            seconds = HEARS
        if self.wire.exact or self.large:
            self._aim()
            receive(seconds)
        elif len(self.wire.pending) == 1:
            trial = self._trial
            begin = 0.0 if trial.kept else time.monotonic()
            if trial.looks:
                wait_soon(self._spinning, self.stream.look, lambda: receive(seconds), gives_way=True)
            else:
                receive(seconds)
            if trial.kept:
                trial.passed()
            else:
                trial.took(time.monotonic() - begin)
        else:
            receive(seconds)

    def _aim(self) -> None:
        """Have a large value received in one piece; after one, the next messages may hold such, too."""
        stream, missing, exact = self.stream, self.wire.missing, self.wire.exact
        if exact:
            self.large = AFTER_LARGE
        elif not missing:
            self.large -= 1
        stream.exact = exact
        stream.peeks = self.large > 0 and not missing

    def _sleep(self, how: tuple[Slot, float]) -> None:
        slot, seconds = how
        slot.wake.acquire(timeout=min(seconds, HEARS))

    # Only waits, for a signal's handler may raise in them:

    def _until_writable(self, seconds: float) -> None:
        self.stream.wait(read=False, write=True, seconds=seconds)

    def _until_either(self, seconds: float) -> None:
        self.stream.wait(read=True, write=True, seconds=seconds)

    def take(self) -> None:
        """With the turn: handle what was received."""
        inbox = self.stream.inbox
        while inbox and not self.ended:
            data = inbox.popleft()
            if not data:
                self.end(self.stream.end)
                return
            self.digest(self.wire.feed(data))

    def digest(self, messages: list[Message]) -> None:
        """With the turn: handle what the wire has made of the bytes."""
        if messages:
            self.dispatch(messages)
        wire = self.wire
        if wire.broken:
            cause: Exception = ProtocolError(f"{self.address}: {wire.broken}")
            if wire.too_large:
                cause = MessageTooLarge(f"{self.address}: {wire.broken}", size=wire.too_large, limit=wire.limit)
            self.end(f"it sent what cannot be taken: {wire.broken}", cause)

    def _leave(self, slot: Slot) -> None:
        with self.mutex:
            self.parked.pop(slot, None)
            reads, slot.reads = slot.reads, False
        if reads:
            self.hand_on()
        elif self.out:
            with self.mutex:
                self.left()

    def hand_on(self) -> None:
        """Give the turn away."""
        with self.mutex:
            self.driven += 1
            for slot in self.parked:
                del self.parked[slot]
                slot.reads = True
                slot.rouse()
                return
            self.reading = False
            if self.ended:
                self.stream.close()
            else:
                self.left()

    def served(self, slot: Slot | Lone) -> None:
        """It has what it waited for, so it needs no turn."""
        self.parked.pop(slot, None)
        self.serves += 1
        slot.rouse()

    # ---- the end -----------------------------------------------------------------------------------------------------

    def end(self, reason: str, cause: Exception | None = None) -> None:
        """Nothing is sent or read any more; who waits is told. May be called by any thread, without the mutex.

        While another thread reads, the descriptor stays open, so that its number is not another file's; that thread
        sees the end, and closes it.
        """
        with Deferred():
            with self.mutex:
                if self.ended:
                    return
                self.ended, self.cause = reason, cause
                self.out.clear()
                pending = []
                with suppress(KeyError):  # who reads may take one meanwhile, and then it is answered
                    while True:
                        pending.append(self.wire.pending.popitem())
                pending.reverse()
                self.stream.shutdown()
                if not self.reading:
                    self.stream.close()
            self.orphaned(pending)
            with self.mutex:
                for slot in self.parked:
                    slot.rouse()
                self.left()

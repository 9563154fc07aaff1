"""Calls that are waited for, on one connection."""

from __future__ import annotations

import time
from typing import Any

from elsewhere.errors import ElsewhereError
from elsewhere.rpc.calling.line.channel import BURST, Channel
from elsewhere.rpc.calling.line.helper import Helper
from elsewhere.rpc.calling.line.stream import Stream
from elsewhere.rpc.calling.terms import CLEAN, DIRTY, HANDED, NOT_ALONE, Lone, Reentered, Slot, Terms, late, lost
from elsewhere.rpc.dialect import CANCEL
from elsewhere.runtime.driving.signals import Deferred
from elsewhere.sansio.large import is_large
from elsewhere.sansio.msgpackrpc import RESPONSE, Message, Wire

__all__ = ["Calls"]

STALE = 0.001  # seconds without a call, after which it is looked whether the far side is still there


class Calls(Channel):
    """See the module.

    Attributes:
        plain: the far side is of another make; None while that is not known.
        features: what it understands beyond the protocol.
        gathering: so many batches are being written: small things wait for their end.
        helper: the thread that reads and sends while nobody waits, if there is one.
    """

    def __init__(self, stream: Stream, wire: Wire, address: str) -> None:
        super().__init__(stream, wire, address)
        self.plain: bool | None = None
        self.features: frozenset[str] = frozenset()
        self.gathering = 0
        self.helper: Helper | None = None
        self._used = 0.0

    # ---- calls that are waited for -----------------------------------------------------------------------------------

    def call(self, name: str, method: str, params: Any, began: float, terms: Terms) -> Message:
        """The answer to a request.

        Args:
            name: what the user called.
            method: and what is sent for it, with these params.
            began: when the call began; of `time.monotonic`.

        Raises:
            CallTimeout: the limit was over before.
            ConnectError, ConnectionLost: the connection ended before.
            TypeError, ValueError, OverflowError: the params cannot be packed.
        """
        if began - self._used > STALE and not self.reading:
            self._glance()
        if self.mutex._is_owned():  # as `entered`
            raise Reentered
        lone = Lone()
        try:
            with self.mutex:
                if not (self.reading or self.wire.pending or self.out or self.ended or self.broken or is_large(params)):
                    self._send_alone(lone, name, method, params)
            if lone.stage != NOT_ALONE:
                self._read_alone(lone, began + terms.limit)
        except BaseException:
            if lone.stage in {CLEAN, DIRTY}:
                self._interrupted(lone)
            raise
        self._used = began
        if lone.answer is not None:
            return lone.answer
        if lone.stage == NOT_ALONE:
            return self._crowded(name, method, params, began, terms)
        raise lone.error or self.too_late(name, lone.msgid, lone.end, began, terms)

    def _send_alone(self, lone: Lone, name: str, method: str, params: Any) -> None:
        msgid, data = self.wire.request(method, params, lone)
        self.reading = True
        lone.stage = DIRTY
        lone.msgid, lone.method = msgid, name
        lone.end = self.queued = self.queued + len(data)
        try:
            sent = self.stream.send(data)
        except OSError as error:
            self.cannot_send(error)
            return
        self.written += sent
        if sent < len(data):
            self.out.append(memoryview(data)[sent:])

    def _read_alone(self, lone: Lone, deadline: float) -> None:
        """Read until there is an outcome, or the deadline is over; then the turn is handed on."""
        stream, wire = self.stream, self.wire
        left = deadline - time.monotonic()
        while left > 0:
            lone.stage = CLEAN
            if self.out:
                with Deferred() as calm:
                    self.read(left, calm)
            elif not stream.inbox:
                self.receive(left)
            lone.stage = DIRTY
            if stream.inbox and stream.inbox[0]:
                messages = wire.feed(stream.inbox.popleft())
                if len(messages) == 1 and messages[0][1] == lone.msgid and messages[0][0] == RESPONSE:
                    lone.answer = messages[0]  # the fast way of what `dispatch` does
                    if not wire.broken:
                        break
                    messages = []
                self.digest(messages)
            self.take()
            if lone.answer or lone.error:
                break
            left = deadline - time.monotonic()
        wire.pending.pop(lone.msgid, None)
        self._hand_on_alone(lone)

    def _hand_on_alone(self, lone: Lone) -> None:
        with self.mutex:
            if not (self.parked or self.ended or self.helper or self.out):
                self.reading = False
                lone.stage = HANDED
        if lone.stage != HANDED:
            with Deferred():
                self.hand_on()
                lone.stage = HANDED

    def _interrupted(self, lone: Lone) -> None:
        """A signal's handler raised in the thread that is alone."""
        with Deferred():
            if lone.stage == DIRTY:
                self.end("a signal interrupted the handling of an answer, so the connection was given up")
            else:
                self.forget(lone.msgid)
            self.hand_on()

    def _glance(self) -> None:
        """It was not used for a while: is the far side still there?"""
        with Deferred():
            with self.mutex:
                if self.reading or self.ended or not self.written:
                    return
                self.reading = True
            try:
                self.stream.look()
                self.take()
            finally:
                self.hand_on()

    def _crowded(self, name: str, method: str, params: Any, began: float, terms: Terms) -> Message:
        """`call`, where others have calls under way."""
        slot = Slot(name)
        with Deferred() as calm:
            with self.mutex:
                self.check(name)
                msgid, slot.end = self.ask(method, params, slot)
                self.flush()
                self.join(slot)
            try:
                self.wait(slot, slot.done, began + terms.limit, calm, slot.end)
            except BaseException:
                self.forget(msgid)
                raise
        if slot.answer is not None:
            return slot.answer
        raise slot.error or self.too_late(name, msgid, slot.end, began, terms)

    def ask(self, method: str, params: Any, slot: Any) -> tuple[int, int]:
        """With the mutex: have a request sent after all the rest; its msgid, and what `written` will then be."""
        if not is_large(params):
            msgid, data = self.wire.request(method, params, slot)
            return msgid, self.append(data)
        msgid, pieces = self.wire.request_in_pieces(method, params, slot)
        for piece in pieces:
            self.append(piece)
        return msgid, self.queued

    def check(self, name: str) -> None:
        """With the mutex: can anything be sent?"""
        if self.ended:
            raise lost(name, self.address, self.ended, never=True, cause=self.cause)

    def too_late(self, name: str, msgid: int, end: int, began: float, terms: Terms) -> ElsewhereError:
        where = self._where(end)
        self.forget(msgid)
        return late(name, self.address, terms, time.monotonic() - began, where)

    def _where(self, end: int) -> str:
        if self.written < end:
            return "was still being sent"
        if self.plain is None:
            return "was sent and not answered, nor was the greeting before it"
        return "was sent and not answered"

    # ---- what else is sent ---------------------------------------------------------------------------------------

    def send_now(self, now: float) -> None:
        """With the mutex: send what was gathered."""
        self.flushed = now
        if self.gathering and self.queued - self.written < BURST:
            return
        with Deferred():
            self.flush()

    def gather(self, more: int) -> None:
        """A batch begins (1) or ends (-1)."""
        with self.mutex:
            self.gathering += more
            if more < 0:
                self.send_now(self.flushed)
                if self.out:
                    self.left()

    def press(self, goal: int, deadline: float) -> None:
        """Wait until so many bytes are sent, or the deadline is over."""
        slot = Slot()
        with Deferred() as calm:
            with self.mutex:
                self.flush()
                self.join(slot)
            self.wait(slot, lambda: self.written >= goal or self.broken or bool(self.ended), deadline, calm, goal)

    def notify(self, method: str, params: Any, deadline: float) -> bool:
        """Send a notification; False if it did not go out before the deadline."""
        with self.mutex:
            self.check(method)
            goal = self.append(self.wire.notify(method, params))
            self.send_now(self.flushed)
        if self.written < goal and not self.gathering:
            self.press(goal, deadline)
        return self.written >= goal or bool(self.gathering)

    def forget(self, msgid: int) -> None:
        """Nobody wants that answer any more: the far side should not work for it."""
        entered = self.entered()
        with self.mutex:
            self.wire.pending.pop(msgid, None)
            if entered or self.ended or "cancel" not in self.features:
                return
            self.append(self.wire.notify(CANCEL, [msgid]))
            self.send_now(self.flushed)
            if self.out:
                self.left()

"""What far workers answer, on its way to the scheduler and the jobs: frames into values, errors and notes.

Rule: nothing that comes is believed: it is loaded by `Opening`, and what makes no sense ends its worker.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable
from math import inf
from typing import Any

from elsewhere.errors import CallCancelled, ElsewhereError, ProtocolError, RemoteError, WorkerLost
from elsewhere.pool.far.channel import Channel
from elsewhere.pool.places import relay
from elsewhere.runtime.driving.driver import Driver
from elsewhere.runtime.far import worker as wire
from elsewhere.runtime.far.opening import Opening
from elsewhere.runtime.jobs import CallJob, ours
from elsewhere.sansio.scheduling.peer import Peer
from elsewhere.sansio.scheduling.scheduler import FENCE, Scheduler

__all__ = ["Arrivals"]

Frame = tuple[int, int, int, Any]  # kind, flags, number, payload


class Arrivals(Driver):
    """The half of a far place's driver that takes answers."""

    def __init__(self, scheduler: Scheduler, name: str, opening: Opening) -> None:
        super().__init__(scheduler, name)
        self._opening = opening

    # ---- for those below ---------------------------------------------------------------------------------------------

    def _greeted(self, channel: Channel) -> None:
        """It has said who it is."""

    def _wants(self, channel: Channel, token: int) -> None:
        """It was to borrow a shared object from a worker that has gone."""

    def _refused(self, channel: Channel) -> None:
        """Its setup has failed: it ends now, or is made to."""

    def _asked(self, channel: Channel, module: str) -> None:
        """It wants the source of a module."""

    def _begun(self, channel: Channel, peer: Peer) -> tuple[int, float]:
        """How many calls it has begun in its life, as far as is known here, and when the last of them."""
        return peer.done + bool(peer.held), max(channel.since, channel.fed)

    # ---- frames ------------------------------------------------------------------------------------------------------

    def _take(self, channel: Channel, frames: Iterable[Frame]) -> None:
        """Frames that have come from a worker, in order.

        Raises:
            ProtocolError: it does not speak as it should.
        """
        now = time.monotonic()
        values: list[Any] = []
        micros = 0
        for kind, flags, number, payload in frames:
            if kind == wire.VALUE:
                job, index = self._behind(channel, len(values))
                try:
                    values.append(None if index in job.settled else self._opening.value(payload))
                    micros += number
                except BaseException as failure:  # noqa: BLE001 - whatever unpickling raises is the call's failure
                    self._finish(channel, values, micros, now)
                    values, micros = [], 0
                    self._failed(channel, _returned(failure, job, index, channel), number / 1e6)
                continue
            if values:
                self._finish(channel, values, micros, now)
                values, micros = [], 0
            if kind == wire.ERROR:
                self._raised(channel, payload)
            elif kind == wire.SKIPPED:
                self._behind(channel, 0)
                self._failed(channel, RemoteError("skipped as asked"), 0.0)
            else:
                self._aside(channel, kind, flags, payload)
        if values:
            self._finish(channel, values, micros, now)

    def _finish(self, channel: Channel, values: list[Any], micros: int, now: float) -> None:
        if values:
            channel.since = now
            self._deliver(self.scheduler.finished(channel.key, len(values), micros / 1e6, now), values)

    def _failed(self, channel: Channel, error: BaseException, seconds: float) -> None:
        channel.since = now = time.monotonic()
        self.scheduler.failed(channel.key, error, seconds, now)

    def _raised(self, channel: Channel, payload: Any) -> None:
        job, index = self._behind(channel, 0)
        if index in job.settled:  # unopened: nobody waits for it
            self._failed(channel, CallCancelled("nobody waits for this call"), 0.0)
            return
        error, seconds = self._opening.error(payload, job.name, index, channel.place)
        self._failed(channel, error, seconds)

    def _aside(self, channel: Channel, kind: int, flags: int, payload: Any) -> None:
        """What says nothing of a call's outcome."""
        if kind == wire.OUTPUT:
            self._show(channel, flags, bytes(payload))
        elif kind == wire.LOG:
            relay.handle(flags, bytes(payload), self._context(channel.key), self._opening.plain, channel.name)
        elif kind == wire.ASK:
            self._asked(channel, bytes(payload).decode("utf-8", "replace"))
        elif kind == wire.WANT:
            self._wants(channel, _number(payload))
        elif kind == wire.RELEASED:
            self._released(channel, _number(payload))
        elif kind == wire.READY:
            channel.ready = True
            self.scheduler.worker_ready(channel.key, time.monotonic())
        elif kind == wire.HELLO:
            try:
                channel.hear(json.loads(bytes(payload)))
            except ValueError as error:
                raise ProtocolError(f"{channel.place}: {error}") from None
            self._greeted(channel)
        elif kind == wire.FAILED:
            channel.start_error = bytes(payload)
            self._refused(channel)
        elif kind == wire.STACKS:
            relay.show(2, f"\n{channel.place}:\n".encode() + bytes(payload), None)
        else:
            raise ProtocolError(f"{channel.place} sends a message of kind {kind}, which there is not")

    def _show(self, channel: Channel, stream: int, text: bytes) -> None:
        """What a call has printed."""
        if channel.name:
            text = relay.prefixed(channel.name, text)
        relay.show(stream, text, self._context(channel.key))

    def _released(self, channel: Channel, started: int) -> None:
        """It has begun so many calls in its life, and dropped those behind: they are others' now."""
        peer = self.scheduler.peers[channel.key]
        started = max(peer.done, min(started, peer.done + 1))  # it answers each before it begins another
        now = time.monotonic()
        self.scheduler.recalled(channel.key, now - FENCE)
        self.scheduler.observed(channel.key, started, self._begun(channel, peer)[1], now)

    # ---- calls -------------------------------------------------------------------------------------------------------

    def _behind(self, channel: Channel, ahead: int) -> tuple[CallJob, int]:
        """Job and index of the call that is answered after `ahead` others.

        Raises:
            ProtocolError: there is none.
        """
        peer = self.scheduler.peers[channel.key]
        found = peer.call_at(peer.done + 1 + ahead)
        if found is None:
            raise ProtocolError(f"{channel.place} answers a call that it was not given")
        return ours(found[0]), found[1]

    def _lose(
        self, channel: Channel, status: int | None, cause: ElsewhereError | None, words: str, *, unsure: bool
    ) -> None:
        """A worker that was ready is certainly gone, with the call it was in.

        Args:
            channel: whose.
            status: its exit status, negative for a signal's number; None if nobody knows.
            cause: what took it away, if it did not end by itself.
            words: what is known besides.
            unsure: answers may be lost as well, so each call that it held may have run.
        """
        peer = self.scheduler.peers[channel.key]
        if unsure and peer.outstanding > 1:
            self.scheduler.worn(channel.key)  # it is handed no others meanwhile
            while peer.outstanding > 1:
                self._failed(channel, self._loss(channel, status, cause, words), 0.0)
        started = peer.done + 1 if peer.held else peer.done
        error = self._loss(channel, status, cause, words)
        self.scheduler.lost(channel.key, started, error, time.monotonic())

    def _loss(self, channel: Channel, status: int | None, cause: ElsewhereError | None, words: str) -> WorkerLost:
        peer = self.scheduler.peers[channel.key]
        call = ""
        if peer.held:
            job, index = peer.first
            call = f"{ours(job).name}, input {index}"
        plain = WorkerLost(exitcode=status, pid=channel.pid, call=call)
        text = str(cause) if cause is not None else f"{channel.name}: {plain}" if channel.name else str(plain)
        if cause is not None and call:
            text += f" (it was in {call}, which may have run)"
        error = WorkerLost(f"{text}: {words}" if words else text, exitcode=status, pid=channel.pid, call=call)
        error.__cause__ = cause
        return error

    def _recall(self, channel: Channel) -> None:
        """It was asked to give back what it has not begun: no look decides before it has answered."""
        self.scheduler.recalled(channel.key, inf)


def _number(payload: Any) -> int:
    with contextlib.suppress(Exception):
        return int(wire.ORDINAL.unpack(payload)[0])
    raise ProtocolError("a far worker sends a number that is none")


def _returned(failure: BaseException, job: CallJob, index: int, channel: Channel) -> BaseException:
    """What `Opening.value` has raised, with a note about which call it was."""
    if not isinstance(failure, RemoteError):
        error = RemoteError(f"the result came back but could not be loaded here: {type(failure).__name__}: {failure}")
        error.__cause__ = failure
        failure = error
    failure.add_note(f"returned by {job.name}, input {index}, in {channel.place}")
    return failure

"""What workers answer, on its way to the scheduler and the jobs: records into values, errors and notes.

Rule: reads what a channel brought; sockets, pages and processes are `processes`' business.
"""

from __future__ import annotations

import pickle
import time
from typing import Any

from elsewhere.errors import CallCancelled, RemoteError
from elsewhere.runtime.channel import Channel
from elsewhere.runtime.driving.driver import Driver
from elsewhere.runtime.envelope import open_envelope, words
from elsewhere.runtime.jobs import CallJob, ours
from elsewhere.runtime.memory.buffers import MARKER
from elsewhere.runtime.page import CLOSE, ERROR, PREFIX, SEGMENT, SKIPPED, Record

__all__ = ["Arrivals"]


class Arrivals(Driver):
    """The half of `Processes` that takes answers."""

    def _handle_records(self, channel: Channel, records: list[Record], busy: float) -> None:
        if len(records) == 1 and type(data := records[0].data) is list:  # most
            self._finish(channel, data, busy / len(data))
            return
        calls = sum(record.calls for record in records)
        each = busy / calls if calls else 0.0
        values: list[Any] = []
        for kind, _, data in records:
            if type(data) is list:
                values = values + data if values else data
                continue
            assert type(data) is bytes
            if kind == SEGMENT:
                values += pickle.loads(PREFIX + data + CLOSE)
                continue
            error: BaseException | None = None
            seconds = each
            if kind == SKIPPED:
                error, seconds = RemoteError("skipped as asked"), 0.0
            elif kind == ERROR:
                name, index, wanted = self._call_behind(channel, len(values))
                if wanted:
                    error, seconds = open_envelope(data, name, index, channel.pid)
                else:  # unopened: that may import modules, and the interpreter may be ending (it is, after Ctrl-C)
                    error = CallCancelled("nobody waits for this call")
            else:
                try:
                    if data[0] == MARKER:  # see `Freight.pack`
                        job, _ = self._behind(channel, len(values))
                        job.heap = 1
                    values.append(channel.loads(data))
                except BaseException as failure:  # noqa: BLE001 - whatever unpickling raises is the call's failure
                    name, index, _ = self._call_behind(channel, len(values))
                    error = _unloadable(failure, name, index, channel.pid)
            if error is not None:
                self._finish(channel, values, each)
                values = []
                self.scheduler.failed(channel.key, error, seconds, time.monotonic())
        self._finish(channel, values, each)

    def _finish(self, channel: Channel, values: list[Any], each: float) -> None:
        if values:
            spans = self.scheduler.finished(channel.key, len(values), each * len(values), time.monotonic())
            self._deliver(spans, values)

    def _call_behind(self, channel: Channel, ahead: int) -> tuple[str, int, bool]:
        """Name and index of the call that is answered after `ahead` others, and whether anybody waits for it."""
        job, index = self._behind(channel, ahead)
        return job.name, index, index not in job.settled

    def _behind(self, channel: Channel, ahead: int) -> tuple[CallJob, int]:
        """Job and index of the call that is answered after `ahead` others."""
        peer = self.scheduler.peers[channel.key]
        found = peer.call_at(peer.done + 1 + ahead)
        assert found is not None, "an answer to no call"
        return ours(found[0]), found[1]


def _unloadable(failure: BaseException, name: str, index: int, pid: int | None) -> RemoteError:
    text = words(failure)
    error = RemoteError(
        f"the result came back but could not be unpickled here: {type(failure).__name__}: {text}",
        type_name=f"{type(failure).__module__}.{type(failure).__qualname__}",
        text=text,
    )
    error.__cause__ = failure
    error.add_note(f"returned by {name}, input {index}, in worker {pid}")
    return error

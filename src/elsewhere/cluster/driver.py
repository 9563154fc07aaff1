"""Calls beside Dask workers: far workers on a cluster, for a pool.

Rule: only the driver's thread is here. What Dask has to do with it is `desk`'s business.

A far worker is a child of a Dask worker, one for each of its threads that the pool may use. Its calls come to it in
Dask tasks, so that a thread of the Dask worker is taken while it works, and no longer.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from elsewhere.cluster.desk import Desk
from elsewhere.cluster.lines import LaneLine
from elsewhere.errors import ElsewhereError, WorkerStartError
from elsewhere.pool.far.channel import Channel
from elsewhere.pool.far.driver import FarDriver
from elsewhere.runtime.far.opening import Opening
from elsewhere.runtime.far.packing import Packer
from elsewhere.sansio.scheduling.credits import BUDGET
from elsewhere.sansio.scheduling.peer import Peer
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["DaskDriver"]

HEAP = 64  # times the budget of a worker on this machine: half of it hides the way, which a busy scheduler makes long
OFTEN = 5  # times that what a worker holds is told of while it lasts, at least
MINOR = 2  # parts of a version that have to be the same


class DaskDriver(FarDriver):
    """One pool's calls on a Dask cluster.

    Args:
        scheduler: the machine.
        name: of the pool.
        desk: its business with the cluster.
        cores: address -> threads of each Dask worker that is there.
        size: how many calls may run at once; None for one on each thread of the cluster.

    Attributes:
        give_back: called when all is over.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        *,
        desk: Desk,
        cores: dict[str, int],
        size: int | None,
        packer: Packer,
        opening: Opening,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(scheduler, name, packer=packer, opening=opening, initializer=initializer, initargs=initargs)
        self._desk = desk
        self._cores = cores
        self._wanted = size
        self.give_back: Callable[[], None] = desk.close

    def start(self) -> None:
        """Start the workers, and hear of the cluster from now on."""
        self._desk.open(self, self._cores)
        super().start()

    # ---- the cluster -------------------------------------------------------------------------------------------------

    def members(self, cores: dict[str, int]) -> None:
        """Dask workers have come or gone."""
        self._cores = cores
        here = sum(cores.values())
        size = here if self._wanted is None else min(self._wanted, here)
        gone = [key for key, channel in self._channels.items() if _line(channel).address not in cores]
        self.scheduler.resize(size, time.monotonic(), first=gone)

    def cut_off(self, error: ElsewhereError) -> None:
        """The scheduler is lost, and all that Dask has of ours."""
        self.scheduler.break_(error)

    def _open(self, key: int) -> LaneLine:
        """A child beside the Dask worker that has most threads to spare; one more while another is about to leave."""
        if self._desk.error is not None:
            raise self._desk.error
        taken = Counter(_line(channel).address for channel in self._channels.values() if channel.line is not None)
        room = {address: cores - taken[address] for address, cores in self._cores.items()}
        if not room:
            raise WorkerStartError("there is no Dask worker")
        line = LaneLine(self._desk, key, max(room, key=room.__getitem__), self)
        self._channels[key].where = line.address
        line.open()
        return line

    # ---- what lines tell ---------------------------------------------------------------------------------------------

    def heard(self, key: int, data: bytes, busy: bool) -> None:
        """Bytes have come from a child, and whether it is at work now."""
        channel = self._channels.get(key)
        if channel is None:
            return
        line = _line(channel)
        if busy and not line.working:
            line.since = time.monotonic()
        line.working = busy
        if data:
            self.arrived(key, data)

    def _greeted(self, channel: Channel) -> None:
        if channel.version[:MINOR] != _here():
            theirs, ours = (".".join(map(str, version)) for version in (channel.version[:MINOR], _here()))
            line = _line(channel)
            where = f"the Dask worker {line.address} runs Python {theirs}, and this is {ours}"
            error = WorkerStartError(f"{where}: Dask wants the same on both sides")
            line.kill()
            self.ended(channel.key, None, error, "")
            return
        super()._greeted(channel)

    def _begun(self, channel: Channel, peer: Peer) -> tuple[int, float]:
        """A call that waits for a thread of its Dask worker has not begun."""
        line = _line(channel)
        return peer.done + (bool(peer.held) and line.working), max(channel.since, channel.fed, line.since)

    def _unshare(self, token: int) -> None:
        self._desk.call(self._desk.unshare, token)
        super()._unshare(token)

    def _heap(self) -> int:
        told = 1 << (int(OFTEN * self._desk.pace / BUDGET) - 1).bit_length()
        return max(HEAP, told, super()._heap())

    def _give_back(self) -> None:
        super()._give_back()
        self.give_back()


def _line(channel: Channel) -> LaneLine:
    assert isinstance(channel.line, LaneLine)
    return channel.line


def _here() -> tuple[int, ...]:
    return sys.version_info[0], sys.version_info[1]

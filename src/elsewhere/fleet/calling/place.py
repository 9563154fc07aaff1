"""The place of hosts: a pool's workers are interpreters on them, over SSH.

::

    Seat.reach ──up──> shares ──size──> scheduler ──Start──> _open: a line to the host that lacks most
         └──────out──> the others take its share; none left: the pool is broken

A host that is lost costs the calls that ran there. It is reached again at once, and left out where that fails, with one
warning; then it is tried again now and then.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectError, ConnectionLost, ElsewhereError, NeverStarted, Unauthorized, WorkerStartError
from elsewhere.fleet.calling.line import HostLine
from elsewhere.fleet.calling.seat import Seat
from elsewhere.fleet.kinds import report
from elsewhere.fleet.results import FleetError
from elsewhere.pool.far.channel import Channel
from elsewhere.pool.far.driver import FarDriver
from elsewhere.pool.places import Wanted, relay
from elsewhere.runtime.far.bundle import payload
from elsewhere.runtime.far.opening import Opening
from elsewhere.runtime.far.packing import Packer
from elsewhere.runtime.jobs import CallJob
from elsewhere.sansio.hosts.many.plain import plain
from elsewhere.sansio.hosts.shares import Shares
from elsewhere.sansio.scheduling.credits import BUDGET
from elsewhere.sansio.scheduling.peer import State
from elsewhere.sansio.scheduling.scheduler import Scheduler

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["MOST", "OnHosts", "place"]

MOST = 9  # interpreters on a host: sshd takes ten channels on a connection (MaxSessions), and the watcher is one
WAYS = (ConnectError, ConnectionLost, Unauthorized)  # what is wrong with the way there, and not with what is there
TRIES = 3  # interpreters in a row that do not start, and their host is left out

RETURN = "\r"

_log = logging.getLogger("elsewhere")


def place(hosts: Sequence[Host], wanted: Wanted, where: object) -> OnHosts:
    """The driver of a pool on these hosts, each over a connection of its own: a pool's interpreters are kept, and nine
    of them would leave no channel for commands.

    Args:
        hosts: each once.
        wanted: what the user wants.
        where: as the user has said it.

    Raises:
        ValueError: that cannot be had there, or ssh's configuration cannot be understood.
    """
    from elsewhere.fleet.verbs.base import engine

    wanted.refuse_what_is_local(repr(where))
    if not hosts:
        raise ValueError(f"{where!r} has no host on which calls could be made")
    if wanted.size is not None and wanted.size > MOST * len(hosts):
        some = f"{len(hosts)} hosts" if len(hosts) > 1 else "one host"
        raise ValueError(
            f"processes={wanted.size} is more than {some} can have: {MOST} on each, as sshd takes ten channels on a "
            "connection"
        )
    found = engine()
    seats = [
        Seat(number, str(host), partial(found.links.link, host.settings), True, host.python, found.loop)
        for number, host in enumerate(hosts)
    ]
    trust = all(host.root._given.trust for host in hosts)
    return OnHosts(wanted, seats, Shares(len(hosts), wanted.size, MOST), trust=trust)


class OnHosts(FarDriver):
    """See the module.

    Args:
        wanted: what the user wants.
        seats: the hosts.
        shares: says who has how many.
        grows: begin with one worker, and have more when calls wait, up to so many; None for as many as there are to be.
        trust: unpickle whatever comes.
    """

    def __init__(
        self, wanted: Wanted, seats: Sequence[Seat], shares: Shares, *, grows: int | None = None, trust: bool = False
    ) -> None:
        packer = Packer(sources=True)
        super().__init__(
            Scheduler(0, lifetime=wanted.lifetime, grace=wanted.grace, budget=BUDGET),
            wanted.name,
            packer=packer,
            opening=Opening(packer.shipped, packer.own, trust=trust),
            initializer=wanted.initializer,
            initargs=wanted.initargs,
        )
        self._seats = seats
        self._shares = shares
        self._grows = grows
        self._at: dict[int, Seat] = {}  # workers' hosts

    def start(self) -> None:
        """Reach the hosts."""
        super().start()
        for seat in self._seats:
            seat.reach(self)
        with contextlib.suppress(ImportError):  # a line tells what is missing
            payload()  # it takes a while to make, in which the hosts are reached

    def _give_back(self) -> None:
        super()._give_back()
        for seat in self._seats:
            seat.close()

    # ---- workers -----------------------------------------------------------------------------------------------------

    def _open(self, key: int) -> HostLine:
        number = self._shares.next()
        if number is None:
            raise ConnectError("the host has just been lost", phase="call")
        seat = self._at[key] = self._seats[number]
        self._shares.open[number] += 1
        line = seat.line()
        line.attach(self, key)
        return line

    def ended(self, key: int, status: int | None, error: ElsewhereError | None, words: str) -> None:
        """A line has ended; see `FarDriver.ended`."""
        seat = self._at.get(key)
        if seat is not None:
            self._shares.open[seat.number] -= 1
            if isinstance(error, WAYS):
                self._lost(seat, key, error)
        super().ended(key, status, error, words)
        if seat is not None:
            del self._at[key]
            self._settle()

    def _lost(self, seat: Seat, key: int, error: ElsewhereError) -> None:
        """A host's connection broke, or one more channel was not to be had."""
        if not self._shares.is_up(seat.number) or self.scheduler.terminated:
            return
        others = [each for each, at in self._at.items() if at is seat and each != key]
        if others and not isinstance(error, ConnectionLost):
            if not seat.limited:
                _log.warning(
                    "%s: it has fewer interpreters than it should, as no more can be had: %s", seat.name, error
                )
            seat.limited = True
            self._shares.limit(seat.number, len(others))
            others = []
        else:
            self._shares.trying(seat.number)
            seat.reach(self)
        self.scheduler.resize(self._shares.size, time.monotonic(), first=[key, *others])

    def _not_started(self, channel: Channel, error: ElsewhereError) -> None:
        """An initializer that raises is the pool's affair; all else is the host's."""
        if channel.start_error is not None:
            super()._not_started(channel, error)
            return
        now, scheduler = time.monotonic(), self.scheduler
        if scheduler.peers[channel.key].state is not State.LEAVING:  # a failure that does not count as one
            scheduler.resize(max(0, scheduler.size - 1), now, first=[channel.key])
        scheduler.lost(channel.key, 0, error, now)
        seat = self._at.get(channel.key)
        if seat is not None and self._shares.is_up(seat.number) and not isinstance(error, WAYS):  # see `_lost`
            seat.failures += 1
            if seat.failures >= TRIES:
                self.out(seat, error if isinstance(error, NeverStarted) else _never(error))
                seat.reach(self, again=True)
        self._settle()

    def _greeted(self, channel: Channel) -> None:
        channel.site = self._at[channel.key].number
        super()._greeted(channel)

    # ---- hosts -------------------------------------------------------------------------------------------------------

    def up(self, seat: Seat, hello: dict[str, Any]) -> None:
        """A host has a Python that runs."""
        if self.scheduler.broken is not None:
            return
        if seat.error is not None:
            _log.info("%s: it is back", seat.name)
        self._shares.up(seat.number, seat.heard(hello))
        self._grow()
        self._settle()

    def out(self, seat: Seat, error: ElsewhereError) -> None:
        """A host cannot be used."""
        self._shares.out(seat.number)
        if seat.error is None and len(self._seats) > 1:
            _log.warning("%s is left out: %s", seat.name, error)
        seat.error = error
        if self._shares.none_left:
            self.scheduler.break_(self._why())
        self._settle()

    def _why(self) -> ElsewhereError:
        """No host is left."""
        errors = {seat.name: seat.error for seat in self._seats if seat.error is not None}
        if len(self._seats) == 1:
            (error,) = errors.values()
            return error
        every: Any = errors
        found = WorkerStartError(f"no host is left on which calls could be made: {report('call', every)}")
        found.__cause__ = FleetError(report("call", every), every)
        return found

    def _settle(self) -> None:
        """As many workers as there are to be, each where it should be."""
        if self._shares.size != self.scheduler.size:
            self.scheduler.resize(self._shares.size, time.monotonic())
        for number, more in self._shares.surplus().items():  # a host has come back, and others had its share
            here = [key for key, seat in self._at.items() if seat.number == number and key in self.scheduler.peers]
            for key in here[-more:]:
                self.scheduler.worn(key)

    # ---- more when calls wait ----------------------------------------------------------------------------------------

    def _add(self, job: CallJob, lo: int, hi: int) -> None:
        super()._add(job, lo, hi)
        if self._grows is not None:
            self._grow()

    def _grow(self) -> None:
        if self._grows is None:
            return
        shares = self._shares
        wanted = min(self.scheduler.unfinished, self._grows, sum(seat.cores for seat in self._seats))
        if shares.wanted is not None and wanted > shares.wanted:
            shares.wanted = wanted
            self._settle()

    # ---- what is printed ---------------------------------------------------------------------------------------------

    def said(self, name: str, text: str) -> None:
        """An interpreter, or what it has started, has written lines to its standard error."""
        self._print(name, 2, text, None)

    def _show(self, channel: Channel, stream: int, text: bytes) -> None:
        self._print(channel.name, stream, text.decode("utf-8", "surrogatepass"), self._context(channel.key))

    def _print(self, name: str, stream: int, text: str, context: Any) -> None:
        """Whole lines, with the host's name before each, and nothing in them that a terminal obeys."""
        lines = text.removesuffix("\n").split("\n")
        before = f"[{plain(name)}] "
        shown = "".join([f"{before}{plain(line.removesuffix(RETURN))}\n" for line in lines])
        relay.show(stream, shown.encode("utf-8", "surrogatepass"), context)


def _never(error: ElsewhereError) -> WorkerStartError:
    """What ended each interpreter there, as the reason why no call could begin."""
    found = WorkerStartError(str(error))
    found.__cause__ = error
    return found

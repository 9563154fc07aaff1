"""A host's own interpreters, for `Host.call`: a pool of one host, made when it is first needed, and kept with it.

Rule: it goes over the host's own connection, which commands use as well: so it has no more than `SLOTS` interpreters,
one at first, and more when calls wait.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING

from elsewhere.call import Options
from elsewhere.fleet.calling.place import OnHosts
from elsewhere.fleet.calling.seat import Seat
from elsewhere.pool.pool import Pool, View
from elsewhere.sansio.hosts.shares import Shares

if TYPE_CHECKING:
    from elsewhere.fleet.calling.early import Early
    from elsewhere.fleet.host import Host
    from elsewhere.fleet.link.link import Link, Links
    from elsewhere.fleet.naming.settings import Settings
    from elsewhere.pool.places import Wanted

__all__ = ["SLOTS", "Kept", "kept"]

SLOTS = 4  # interpreters: of nine channels on a connection, the others are left for commands and transfers
PATIENCE = 5.0  # seconds for what was ended to be gone
PLAIN = Options()
_lock = threading.RLock()  # a signal's handler may call, too


class Kept:
    """A host's pool, for as long as it can be used.

    Args:
        host: which; itself, and no view of it.
        early: its connection, where that is begun.
    """

    def __init__(self, host: Host, early: Early | None = None) -> None:
        self.pid = os.getpid()
        self.pool = Pool(where=_Own(host, early))
        self.view = View(self.pool, PLAIN)
        self._forgotten = weakref.finalize(host, _forget, self.pool)
        self._forgotten.atexit = False

    @property
    def fit(self) -> bool:
        """Can calls be made by it? Not in a forked child, nor once the host could not be reached."""
        return self.pid == os.getpid() and not self.pool._closed and self.pool._driver.scheduler.broken is None

    def end(self) -> None:
        """Let what runs be ended; `join` waits for that."""
        self._forgotten.detach()
        _forget(self.pool)

    def join(self) -> None:
        """Wait until nothing is left of it, not for ever."""
        if self.pid == os.getpid():
            self.pool._driver.join(PATIENCE)


class _Own:
    """The place: one host, over its own connection. It does not keep the host alive."""

    def __init__(self, host: Host, early: Early | None) -> None:
        self._host = weakref.ref(host)
        self._early = early

    def __elsewhere_place__(self, wanted: Wanted) -> OnHosts:
        from elsewhere.fleet.verbs.base import engine

        host = self._host()
        assert host is not None  # who makes the pool has it
        found, given = engine(), host._given
        link = partial(_link, self._host, found.links, host.settings)
        early = None if self._early is None else self._early.done
        seat = Seat(0, str(host), link, False, host.python, found.loop, early)
        return OnHosts(wanted, [seat], Shares(1, 1, SLOTS), grows=SLOTS, trust=bool(given.trust))

    def __repr__(self) -> str:
        return "on one host"


def kept(host: Host, options: Options, early: Early | None = None) -> View:
    """The host's own pool, which takes calls, with these options; `early` is its connection, where that is begun.

    Raises:
        ValueError: ssh's configuration cannot be understood.
    """
    found = host._kept
    if found is None or not found.fit:
        with _lock:
            found = host._kept
            if found is None or not found.fit:
                if found is not None:
                    found.end()
                found = host._kept = Kept(host, early)
    return found.view if options == PLAIN else View(found.pool, options)


def _link(host: weakref.ref[Host], links: Links, settings: Settings) -> Link:
    """The host's connection, which is made on the loop."""
    found = host()
    return links.link(settings) if found is None else found.link


def _forget(pool: Pool) -> None:
    """Nobody has the host any more, and nobody has closed it."""
    if pool._pid == os.getpid() and not pool._closed:
        pool._closed = True
        with contextlib.suppress(Exception):
            pool._driver.terminate()

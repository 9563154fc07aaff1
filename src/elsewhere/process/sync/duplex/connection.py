"""Both ends of `Pipe(duplex=True)`.

Rule: an end is multiprocessing's own `Connection` on one socket; here is only how it travels. While multiprocessing
starts a process the descriptor goes along. At any other time a pickle says where the descriptor can be had, since a
socket cannot be opened through ``/proc``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from multiprocessing import connection, reduction
from multiprocessing.context import get_spawning_popen
from typing import TYPE_CHECKING, Any

from elsewhere.process.sync.duplex import exchange
from elsewhere.process.sync.duplex.exchange import Parcel
from elsewhere.process.sync.duplex.wire import Offer

if TYPE_CHECKING:
    _Connection = connection.Connection[Any, Any]
else:
    _Connection = connection.Connection

__all__ = ["Duplex", "pair"]


class Duplex(_Connection):
    """One end, which sends and receives.

    Args:
        handle: the socket's descriptor, which is its own from here on.
    """

    _handle: int
    _parcel: Parcel | None = None  # what was pickled of it

    def __init__(self, handle: int) -> None:
        super().__init__(handle)

    def _close(self, close: Callable[[int], None] = os.close) -> None:
        parcel, self._parcel = self._parcel, None
        if parcel is None:
            close(self._handle)
        else:
            exchange.leave(parcel, self._handle)

    def __reduce__(self) -> tuple[Callable[..., Duplex], tuple[Any, ...]]:
        self._check_closed()  # type: ignore[attr-defined]  # private: "handle is closed"
        if get_spawning_popen() is not None:
            return _inherit, (reduction.DupFd(self._handle),)
        self._parcel, offer = exchange.offer(self._parcel, self._handle)
        return _fetch, tuple(offer)


def pair() -> tuple[Duplex, Duplex]:
    """Two connected ends.

    Raises:
        OSError: the process has too many files open.
    """
    first, second = socket.socketpair()
    for end in (first, second):
        end.setblocking(True)  # whatever `socket.setdefaulttimeout` says
    return Duplex(first.detach()), Duplex(second.detach())


def _inherit(handle: Any) -> Duplex:
    """The descriptor came along with the process."""
    return Duplex(handle.detach())


def _fetch(*offer: Any) -> Duplex:
    """The same end in this process: what its pickle calls."""
    return Duplex(exchange.fetch(Offer(*offer)))

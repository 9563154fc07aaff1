"""How much a server allows, how long it waits, and what it has counted."""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["DATAGRAM", "MESSAGE", "Limits", "Statistics", "count", "seconds"]

MESSAGE = 64 << 20  # bytes, of what `recv_exactly` gathers
DATAGRAM = 65_507  # bytes: what IPv4 and UDP leave of 65,535


class Limits(NamedTuple):
    """What `Server` was given; its documentation explains each."""

    max_connections: int
    idle_timeout: float | None
    handshake_timeout: float
    max_size: int


class Statistics(NamedTuple):
    """What a server has counted since its start.

    Attributes:
        open: connections that are open now; and datagrams that are being answered.
        accepted: connections that were accepted, and datagrams that were read.
        handled: those whose handler has returned.
        failed: those whose handler raised.
        timed_out: connections that ended because nothing came or went for `idle_timeout`.
        lost: connections that broke, or ended in the middle.
        refused: connections whose TLS handshake failed; datagrams above `max_size`.
    """

    open: int = 0
    accepted: int = 0
    handled: int = 0
    failed: int = 0
    timed_out: int = 0
    lost: int = 0
    refused: int = 0


def seconds(value: float | None, name: str = "timeout", *, positive: bool = False) -> float | None:
    """A checked number of seconds; None and infinity are no bound.

    Raises:
        TypeError, ValueError: it is none.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number of seconds or None, not {value!r}")
    if not value >= 0 or (positive and not value):
        raise ValueError(f"{name} is {'more than 0' if positive else '0 or more'} seconds, not {value!r}")
    return None if value == math.inf else float(value)


def count(value: int, name: str) -> int:
    """A checked number, at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a whole number, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} is 1 or more, not {value!r}")
    return value

"""Memory: a long imap, which must not grow, and futures that wait for a free worker.

Rule: resident memory as the kernel counts it (Linux: /proc), because that is what runs out.
"""

from __future__ import annotations

import fcntl
import gc
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import work
from peers import WORKERS, Peer

from rows import Ask, Figure, Group, Row

PENDING, LONG = 1_000_000, 20.0  # futures, or as many as are made in these seconds
STEP = 10_000
SETTLE = 1.0  # seconds for feeder threads to do what they do


def resident() -> int:
    """Bytes of this process; where there is no /proc, the most there have ever been."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def growth(kind: type[Peer], ask: Ask) -> Iterator[Figure]:
    """From 10⁵ results to the end; the largest seen at any time between them, so that a hump counts."""
    early, total = 100_000, 1_000_000 if ask.quick else 10_000_000
    with kind() as peer:
        stream: Any = peer.pool.imap(work.inc, iter(range(total)))  # type: ignore[attr-defined]  # ours has one
        base = most = 0
        for number, value in enumerate(stream, 1):
            if value != number:
                raise SystemExit("a wrong result")
            if number == early:
                base = most = resident()
            elif number % early == 0:
                most = max(most, resident())
    yield "imap_growth", "", (most - base) / 1e6


def pending(kind: type[Peer], ask: Ask) -> Iterator[Figure]:
    """Every worker waits for a lock that this process holds; then calls are submitted, and nothing moves."""
    most, longest = (100_000, 3.0) if ask.quick else (PENDING, LONG)
    with tempfile.NamedTemporaryFile() as file, kind() as peer:
        fcntl.flock(file, fcntl.LOCK_EX)
        peer.one(work.inc, 1)
        keep = [peer.submit(work.wait_for_lock, file.name) for _ in range(WORKERS)]
        keep += [peer.submit(work.inc, number) for number in range(1_000)]
        time.sleep(0.2 if ask.quick else SETTLE)  # nothing to wait for: what is to settle is not ours
        gc.collect()
        base, end = resident(), time.perf_counter() + longest
        count = 0
        while count < most and time.perf_counter() < end:
            keep += [peer.submit(work.inc, number) for number in range(count, count + STEP)]
            count += STEP
        time.sleep(0.2 if ask.quick else SETTLE)
        gc.collect()
        yield "pending", "", (resident() - base) / count
        if not kind.heavy:
            os.unlink(file.name)
            os._exit(0)  # nobody waits for a million calls; who started us ends what we started


GROUPS = [
    Group(
        9,
        "imap",
        (Row("imap_growth", "`imap` over 10⁷ items: growth of resident memory from 10⁵ on", "MB", more=False),),
        growth,
        rounds=1,
        limit=240,
        peers=("elsewhere",),
    ),
    Group(
        10,
        "pending",
        (Row("pending", "futures that wait: memory of the parent for each", "bytes", more=False),),
        pending,
        rounds=1,
        limit=90,
        peers=("elsewhere", "mp", "ppe", "loky", "mpire", "pebble", "ray"),
    ),
]

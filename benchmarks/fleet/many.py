"""A thousand hosts in one program, of which some are not well; see `tests.fleet.inprocess`."""

from __future__ import annotations

import contextlib
import random
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.fleet.contest import Failed, contestant
from benchmarks.fleet.names import NAMES
from benchmarks.fleet.yard import Yard

# Of a thousand: what becomes of a host of each kind, and how many are of it.
UNWELL = {"dead": ("ConnectError", 20), "hung": ("ConnectTimeout", 10), "changed": ("HostKeyError", 5)}
TIMEOUT = 10.0  # seconds to connect within, as it comes


def measure(yard: Yard, hosts: int, timeout: float = TIMEOUT) -> dict[str, float]:
    """Seconds for all, and for those that are well alone; KB of memory that each of these takes.

    Args:
        yard: has no part in it.
        hosts: how many.
        timeout: seconds to connect within.
    """
    from tests.fleet.inprocess import inprocess, plain

    kinds = plain(hosts, first=5000, net="127.17")
    names = random.Random(1).sample(sorted(kinds), hosts)
    for kind, (_, many) in UNWELL.items():
        for _ in range(many * hosts // 1000):
            kinds[names.pop()] = kind
    with tempfile.TemporaryDirectory(prefix="elsewhere-crowd-") as folder, inprocess(Path(folder), kinds) as crowd:
        config = {
            "hosts": crowd.hosts,
            "port": crowd.port,
            "user": crowd.user,
            "key": str(crowd.key),
            "known_hosts": str(crowd.known_hosts),
            "connect_timeout": timeout,
        }
        return _measure(config, kinds)


def _measure(config: dict[str, Any], kinds: dict[str, str]) -> dict[str, float]:
    config["hosts"] = [host for host, kind in kinds.items() if kind == "well"]
    expected = {host: UNWELL[kind][0] if kind in UNWELL else "ok" for host, kind in kinds.items()}
    with contestant("ours", config) as who:
        well = who.ask("crowd", config["hosts"])
    with contestant("ours", config) as who:
        everybody = who.ask("crowd", list(kinds))
        assert everybody.told is not None
        right = sum(everybody.told["outcomes"].get(host) == outcome for host, outcome in expected.items())
    memory = {}
    for kind in ("ours", "paramiko"):
        with contextlib.suppress(Failed), contestant(kind, config) as who:
            before = _private(who.process.pid)
            who.ask("open")
            memory[f"{NAMES[kind]}: KB of each"] = (_private(who.process.pid) - before) / len(config["hosts"])
    return {
        "hosts": len(kinds),
        "accounted for": right,
        "seconds for those that are well": well.wall,
        "seconds for those that are well, CPU": well.cpu,
        "seconds for all of them": everybody.wall,
        "seconds for all of them, CPU": everybody.cpu,
        "connect timeout + 1.3 x the healthy ones' seconds": config["connect_timeout"] + 1.3 * well.wall,
        **memory,
    }


def _private(pid: int) -> float:
    """KB that only this process uses."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(float(line.split()[1]) for line in file if line.startswith("Private_"))

"""A server and its clients, each in a process of its own, that measure when they are told to."""

from __future__ import annotations

import contextlib
import json
import statistics
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks.hostile.processes import Program, running

PATIENCE = 60.0  # seconds for one measurement: a peer that hangs is a row without a figure
SERVER, CLIENT = "benchmarks.http.servers", "benchmarks.http.clients"


class Contestant(NamedTuple):
    """Who takes part.

    Attributes:
        name: in the tables.
        server: in `servers`.
        client: in `clients`.
    """

    name: str
    server: str
    client: str


class Failed(Exception):
    """It does not run here, or it hangs."""


@contextlib.contextmanager
def pair(contestant: Contestant, clients: int = 1) -> Iterator[list[Program]]:
    """Its clients, connected.

    Raises:
        Failed: one of them does not start.
    """
    with contextlib.ExitStack() as stack:
        try:
            _, port = stack.enter_context(running(SERVER, contestant.server))
            found = [stack.enter_context(running(CLIENT, contestant.client, port))[0] for _ in range(clients)]
        except RuntimeError as error:
            raise Failed(str(error)) from error
        yield found


def ask(clients: Sequence[Program], row: str, n: int) -> float:
    """Seconds that the slowest of them takes."""
    for client in clients:
        client.tell(json.dumps([row, n]))
    said: list[Any] = [json.loads(client.line(PATIENCE) or "null") for client in clients]
    if not all(isinstance(seconds, float) for seconds in said):
        raise Failed(f"{row}: {said}")
    return float(max(said))


def in_turns(
    row: str,
    contestants: Sequence[Contestant],
    n: int,
    seconds: float,
    rounds: int,
    *,
    clients: int = 1,
    fixed: bool = False,
) -> dict[str, float]:
    """The median of seconds for one (of what the row counts), of each contestant.

    Args:
        row: its name in `clients`.
        n: how many, to begin with.
        seconds: that each measurement should take; the number is chosen for it, unless it is fixed.
        clients: programs that are asked at the same time.
    """
    figures: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        ready: dict[str, tuple[list[Program], int]] = {}
        for contestant in contestants:
            try:
                found = stack.enter_context(pair(contestant, clients))
                ask(found, row, n)
                took = ask(found, row, n)  # the first time warms up
            except Failed as error:
                print(f"{contestant.name}: {error}", flush=True)
                continue
            ready[contestant.name] = found, n if fixed else max(n, min(20_000, int(n * seconds / took)))
        for _ in range(rounds):
            for name, (found, count) in list(ready.items()):
                try:
                    figures.setdefault(name, []).append(ask(found, row, count) / (count * clients))
                except Failed as error:
                    print(f"{name}: {error}", flush=True)
                    del ready[name]
    return {name: statistics.median(each) for name, each in figures.items() if each}

"""A server and its client, each in a process of its own, that measure when they are told to."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks.rpc.environments import ROOT, environment, python_for

PATIENCE = 60.0  # seconds for one measurement: a peer that hangs is a row without a figure


class Contestant(NamedTuple):
    """Who takes part.

    Attributes:
        name: in the tables.
        peer: in `servers` and `clients`.
        options: of the server.
        client: in `clients`, where that is another; "" if it is not.
    """

    name: str
    peer: str
    options: dict[str, Any] = {}  # noqa: RUF012 - a default that nobody changes
    client: str = ""


CONTESTANTS = (
    Contestant("elsewhere, threads", "ours"),
    Contestant("elsewhere, loop", "ours", {"where": "loop"}),
    Contestant("elsewhere.msgpackrpc", "dropin"),
    Contestant("msgpack-rpc-python", "original"),
    Contestant("aio-msgpack-rpc", "aio"),
    Contestant("aio-msgpack-rpc on uvloop", "aio_uvloop"),
    Contestant("RPyC", "rpyc"),
    Contestant("Pyro5", "pyro5"),
    Contestant("gRPC", "grpc"),
    Contestant("bare loop, a thread each", "bare"),
    Contestant("bare client, elsewhere, threads", "ours", client="bare"),  # what is the server's, and what the client's
    Contestant("bare client, elsewhere, loop", "ours", {"where": "loop"}, "bare"),
    Contestant("raw sockets", "floor"),
)


class Missing(Exception):
    """It does not run here: not installed, most likely."""


class Process:
    """A Python program that answers each line with a line; in a group of its own, which `end` kills."""

    def __init__(self, peer: str, module: str, *args: str) -> None:
        self.process = subprocess.Popen(
            [str(python_for(peer)), "-m", f"benchmarks.rpc.{module}", peer, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=environment(),
            process_group=0,
        )
        self._rest = b""

    def line(self, patience: float = PATIENCE) -> str:
        """The next line of its output; raises `Missing` at its end, or when it takes too long."""
        assert self.process.stdout is not None
        end = time.monotonic() + patience
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                raise Missing
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def ask(self, *what: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.line())

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@contextlib.contextmanager
def server(contestant: Contestant) -> Iterator[tuple[int, int]]:
    """Its port and its process id."""
    process = Process(contestant.peer, "servers", json.dumps(contestant.options))
    try:
        yield int(process.line()), process.process.pid
    finally:
        process.end()


@contextlib.contextmanager
def pair(contestant: Contestant) -> Iterator[Process]:
    """Its client, connected."""
    with server(contestant) as (port, _):
        client = Process(contestant.client or contestant.peer, "clients", str(port))
        try:
            client.line()
            yield client
        finally:
            client.end()


def in_turns(row: str, first: int, seconds: float, rounds: int, *, fixed: bool = False) -> dict[str, float]:
    """The median of seconds for one (of what the row counts), of each contestant that has such a row.

    Args:
        row: its name in `clients`.
        first: how many, to begin with.
        seconds: that each measurement should take; the number is chosen for it, unless it is fixed.
    """
    figures: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        clients: dict[str, tuple[Process, int]] = {}
        for contestant in CONTESTANTS:
            try:
                client = stack.enter_context(pair(contestant))
                took = client.ask(row, first)
                took = took and client.ask(row, first)  # the first time warms up
            except (Missing, OSError):
                continue
            if took:
                n = first if fixed else max(1, min(20_000, int(first * seconds / took)))
                clients[contestant.name] = client, n
        for _ in range(rounds):
            for name, (client, n) in list(clients.items()):
                try:
                    figures.setdefault(name, []).append(client.ask(row, n) / n)
                except (Missing, OSError):
                    del clients[name]
    return {name: statistics.median(found) for name, found in figures.items()}


def spread(figures: Sequence[float], part: float) -> float:
    """A percentile."""
    return sorted(figures)[min(len(figures) - 1, int(len(figures) * part))]

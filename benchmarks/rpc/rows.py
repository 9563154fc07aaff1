"""What is measured. Each row gives figures by contestant or by state; `goals` says what they should be."""

from __future__ import annotations

import resource
import socket
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import msgpack

from benchmarks.rpc.clients import TOGETHER
from benchmarks.rpc.pairs import Contestant, in_turns, server, spread

HOST = "127.0.0.1"
LARGE = 10_000_000  # bytes
IDLE = 5_000  # connections
Figures = dict[str, float]


class Scale(NamedTuple):
    """How much is measured."""

    seconds: float
    rounds: int


QUICK, WHOLE = Scale(0.15, 3), Scale(1.0, 9)


def sequential(scale: Scale) -> Figures:
    """µs of a call of double(n) by a blocking client."""
    return {name: 1e6 * found for name, found in in_turns("sequential", 50, *scale).items()}


def pipelined(scale: Scale) -> Figures:
    """Calls a second, of which a thousand at a time are submitted, and then waited for."""
    return {name: 1 / found for name, found in in_turns("pipelined", TOGETHER, *scale).items()}


def back(scale: Scale) -> Figures:
    """Milliseconds for 10 MB of bytes there and back."""
    found = in_turns("back", LARGE, 0, 3 * scale.rounds, fixed=True)
    return {name: 1e3 * LARGE * each for name, each in found.items()}


def _client(port: int) -> Any:
    from elsewhere.rpc import connect

    return connect(f"tcp://{HOST}:{port}", timeout=60)


def processes(scale: Scale) -> Figures:
    """Calls a second of a method that takes 5 ms of a core, over 8 connections, to one and to two server processes."""
    figures: dict[str, list[float]] = {}
    with ExitStack() as stack:
        clients = {}
        for workers in (1, 2):
            port, _ = stack.enter_context(server(Contestant("", "ours", {"workers": workers})))
            clients[f"{workers} server process{'es' * (workers > 1)}"] = [
                stack.enter_context(_client(port)) for _ in range(8)
            ]
        for _ in range(scale.rounds):
            for name, each in clients.items():
                figures.setdefault(name, []).append(_rate(each, max(0.5, scale.seconds)))
    return {name: statistics.median(found) for name, found in figures.items()}


def _rate(clients: list[Any], seconds: float) -> float:
    counts = [0] * len(clients)
    begin = time.perf_counter()

    def calls(at: int) -> None:
        while time.perf_counter() < begin + seconds:
            clients[at].call("spin", 0.005)
            counts[at] += 1

    threads = [threading.Thread(target=calls, args=(at,)) for at in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begin)


def idle(scale: Scale) -> Figures:
    """5,000 idle connections: KB of the server's memory each, and µs of a call without and with them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + 100
    if hard not in {-1, resource.RLIM_INFINITY} and hard < wanted:
        return {}
    figures: Figures = {}
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        for where in ("threads", "loop"):
            with server(Contestant("", "ours", {"where": where})) as (port, pid), _client(port) as client:
                _raise_limit(pid, wanted)
                figures[f"{where}: a call without them, µs"] = _alone(client, scale)
                before = _memory(pid)
                with ExitStack() as stack:
                    for _ in range(IDLE):
                        stack.enter_context(_idle(port))
                    client.call("double", 1)
                    with _client(port) as last:
                        figures[f"{where}: a call on the 5,001st, µs"] = _alone(last, scale)
                    figures[f"{where}: memory of each, KB"] = (_memory(pid) - before) / IDLE
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return figures


def _raise_limit(pid: int, wanted: int) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (wanted, hard))


def _idle(port: int) -> socket.socket:
    """A connection that has said something once."""
    sock = socket.create_connection((HOST, port))
    sock.sendall(msgpack.packb([0, 1, "double", [1]]))
    sock.recv(100)
    return sock


def _memory(pid: int) -> float:
    """KB that only this process uses."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(float(line.split()[1]) for line in file if line.startswith("Private_"))


def _alone(client: Any, scale: Scale) -> float:
    found = []
    for n in range(int(2000 * max(scale.seconds, 0.5))):
        begin = time.perf_counter()
        client.call("double", n)
        found.append(time.perf_counter() - begin)
    return 1e6 * statistics.median(found)


def beside(scale: Scale) -> Figures:
    """µs of a fast method's 99th percentile, alone and while one that uses a core runs in a process."""
    found: dict[str, list[float]] = {"idle": [], "beside a CPU-bound one": []}
    with server(Contestant("", "ours", {"pool": True})) as (port, _), _client(port) as client, _client(port) as other:
        other.call("spin", 0.001)  # its pool is made
        for _ in range(scale.rounds):
            found["idle"] += _latencies(client, scale)
            stop = threading.Event()

            def burn(stop: threading.Event = stop) -> None:
                while not stop.is_set():
                    other.call("spin", 0.05)

            thread = threading.Thread(target=burn)
            thread.start()
            try:
                found["beside a CPU-bound one"] += _latencies(client, scale)
            finally:
                stop.set()
                thread.join()
    return {name: 1e6 * spread(each, 0.99) for name, each in found.items()}


def _latencies(client: Any, scale: Scale) -> list[float]:
    found = []
    end = time.perf_counter() + max(0.3, scale.seconds)
    while (begin := time.perf_counter()) < end:
        client.call("double", 1)
        found.append(time.perf_counter() - begin)
    return found


ROWS: dict[str, Callable[[Scale], Figures]] = {
    row.__name__: row for row in (sequential, pipelined, back, processes, idle, beside)
}

"""Runs the cells: a server, or a client, in a process of its own, and what is done to it, under a limit."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.hostile.answers import ANSWERS, Attacker
from benchmarks.hostile.attacks import ATTACKS, Target
from benchmarks.hostile.crowd import Crowd
from benchmarks.hostile.processes import Memory, Program, running
from benchmarks.hostile.servers import HOST
from benchmarks.hostile.wire import attack, honest

__all__ = [
    "LIMIT",
    "Cell",
    "ClientCell",
    "CrowdCell",
    "client",
    "run_cell",
    "run_client_cell",
    "run_crowd_cell",
    "server",
]

LIMIT = 15.0  # seconds for an answer: the slowest takes one or two
SECRET = "what only this machine should know"


class Cell(NamedTuple):
    """What a server made of an attack.

    Attributes:
        attack, server: which cell it is.
        outcome: "value", "fault", "broken XML", "HTTP 413", "closed"; or "" for nothing within the limit.
        text: the beginning of the answer.
        seconds: until then.
        grown: MB of memory, at the worst moment.
        served: whether another caller was answered while the attacker's connection was still open.
        ran: whether a method ran that should not have.
        leaked: whether the answer held a secret, or markup.
    """

    attack: str
    server: str
    outcome: str = ""
    text: str = ""
    seconds: float = 0.0
    grown: float = 0.0
    served: bool = False
    ran: bool = False
    leaked: bool = False


class CrowdCell(NamedTuple):
    """What became of a server that many slow connections hold.

    Attributes:
        server: which one.
        connections: how many there were.
        calls, served: what another caller asked meanwhile, and how many of these calls were answered.
        slowest: seconds of one of them.
        closed: slow connections that the server had ended by then.
        grown: MB of memory.
    """

    server: str
    connections: int = 0
    calls: int = 0
    served: int = 0
    slowest: float = 0.0
    closed: int = 0
    grown: float = 0.0


class ClientCell(NamedTuple):
    """What a client made of an answer.

    Attributes:
        attack, client: which cell it is.
        outcome: the type of what it raised; "value"; or "" for nothing within the limit.
        text: of the error, or the value.
        seconds: until then.
        grown: MB of memory, at the worst moment.
        requests: how many arrived for its one call.
    """

    attack: str
    client: str
    outcome: str = ""
    text: str = ""
    seconds: float = 0.0
    grown: float = 0.0
    requests: int = 0


class Server(NamedTuple):
    """One that is running; attacks on it may follow each other."""

    kind: str
    program: Program
    port: int


class Client(NamedTuple):
    """A program that calls whom it is told to."""

    kind: str
    program: Program


@contextlib.contextmanager
def server(kind: str) -> Iterator[Server]:
    """One that has answered a few calls, so that everything that is loaded at the first is loaded."""
    with running("benchmarks.hostile.servers", kind) as (program, said):
        found = Server(kind, program, int(said))
        for _ in range(5):
            if marks(found.port, LIMIT) is None:
                raise RuntimeError(f"the server {kind} does not answer")
        yield found


@contextlib.contextmanager
def client(kind: str) -> Iterator[Client]:
    with running("benchmarks.hostile.clients", kind) as (program, _):
        yield Client(kind, program)


def marks(port: int, limit: float) -> int | None:
    """How often the method ran that should not; None if an honest caller is not answered."""
    found = honest(port, "marks", limit)
    number = re.search(rb"<i(?:nt|4|8)>(\d+)<", found.body)
    return int(number[1]) if found.kind == "value" and number else None


def run_cell(name: str, at: Server, limit: float = LIMIT) -> Cell:
    """Attack a server in one way."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        secret = Path(folder) / "secret"
        secret.write_text(SECRET)
        before = marks(at.port, limit)
        memory = Memory(at.program.pid)
        with socket.create_connection((HOST, at.port), timeout=limit) as sock:
            pieces = ATTACKS[name].request(Target(at.port, secret))
            begin = time.monotonic()
            found = attack(sock, pieces, limit)
            seconds = time.monotonic() - begin
            served = marks(at.port, limit) is not None
        after = marks(at.port, limit)
    return Cell(
        attack=name,
        server=at.kind,
        outcome=found.kind,
        text=found.body[:2000].decode(errors="replace"),
        seconds=seconds,
        grown=memory.grown(),
        served=served,
        ran=after != before,
        leaked=SECRET.encode() in found.body or b"<script" in found.body,
    )


def run_crowd_cell(at: Server, connections: int = 500, seconds: float = 10.0, limit: float = LIMIT) -> CrowdCell:
    """Hold a server with connections that send a byte a second, and call it meanwhile, twice a second."""
    memory = Memory(at.program.pid)
    calls = served = 0
    slowest = 0.0
    with Crowd(at.port, connections) as crowd:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            crowd.send_for(0.5)
            begin = time.monotonic()
            served += marks(at.port, limit) is not None
            slowest = max(slowest, time.monotonic() - begin)
            calls += 1
        closed = crowd.closed()
    return CrowdCell(at.kind, connections, calls, served, slowest, closed, memory.grown())


def run_client_cell(name: str, who: Client, limit: float = LIMIT) -> ClientCell:
    """Answer a client in one way."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        secret = Path(folder) / "secret"
        secret.write_text(SECRET)
        with Attacker(ANSWERS[name], secret) as attacker:
            memory = Memory(who.program.pid)
            begin = time.monotonic()
            who.program.tell(attacker.url)
            said = who.program.line(limit)
            seconds, requests = time.monotonic() - begin, attacker.requests
            cell = ClientCell(name, who.kind, "", "", seconds, memory.grown(), requests)
            return _told(cell, said, who.program)


def _told(cell: ClientCell, said: str, client: Program) -> ClientCell:
    if not said:
        return cell._replace(outcome="its end" if client.process.poll() is not None else "")
    outcome, text = json.loads(said)
    return cell._replace(outcome=outcome, text=text)

"""Runs the cells: each with a server, or a client, in a process of its own, under a limit."""

from __future__ import annotations

import json
import socket
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.hostile.answers import ANSWERS, Attacker
from benchmarks.hostile.attacks import ATTACKS, Target
from benchmarks.hostile.crowd import Crowd
from benchmarks.hostile.processes import Memory, Program, running
from benchmarks.hostile.servers import HOST
from benchmarks.hostile.wire import attack, honest

__all__ = ["LIMIT", "Cell", "ClientCell", "CrowdCell", "run_cell", "run_client_cell", "run_crowd_cell"]

LIMIT = 15.0  # seconds for an answer: the slowest takes one or two
SERVER, CLIENT = "benchmarks.hostile.servers", "benchmarks.hostile.clients"
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


def warm(port: int) -> None:
    """Everything that is loaded at the first call is loaded."""
    for _ in range(5):
        found = honest(port, "marks", LIMIT)
        if found.kind != "value":
            raise RuntimeError(f"the server does not answer: {found}")


def run_cell(name: str, kind: str, limit: float = LIMIT) -> Cell:
    """Attack one kind of server in one way."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, running(SERVER, kind) as (server, said):
        secret = Path(folder) / "secret"
        secret.write_text(SECRET)
        target = Target(int(said), secret)
        warm(target.port)
        memory = Memory(server.pid)
        with socket.create_connection((HOST, target.port), timeout=limit) as sock:
            pieces = ATTACKS[name].request(target)
            begin = time.monotonic()
            found = attack(sock, pieces, limit)
            seconds = time.monotonic() - begin
            served = honest(target.port, "marks", limit).kind == "value"
        marks = honest(target.port, "marks", limit)
        return Cell(
            attack=name,
            server=kind,
            outcome=found.kind,
            text=found.body[:2000].decode(errors="replace"),
            seconds=seconds,
            grown=memory.grown(),
            served=served,
            ran=marks.kind == "value" and b">0<" not in marks.body,
            leaked=SECRET.encode() in found.body or b"<script" in found.body,
        )


def run_crowd_cell(kind: str, connections: int = 500, seconds: float = 10.0, limit: float = LIMIT) -> CrowdCell:
    """Hold a server with connections that send a byte a second, and call it meanwhile, twice a second."""
    with running(SERVER, kind) as (server, said):
        port = int(said)
        warm(port)
        memory = Memory(server.pid)
        calls = served = 0
        slowest = 0.0
        with Crowd(port, connections) as crowd:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                crowd.send_for(0.5)
                begin = time.monotonic()
                served += honest(port, "marks", limit).kind == "value"
                slowest = max(slowest, time.monotonic() - begin)
                calls += 1
            closed = crowd.closed()
        return CrowdCell(kind, connections, calls, served, slowest, closed, memory.grown())


def run_client_cell(name: str, kind: str, limit: float = LIMIT) -> ClientCell:
    """Answer one kind of client in one way."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        secret = Path(folder) / "secret"
        secret.write_text(SECRET)
        with Attacker(ANSWERS[name], secret) as attacker, running(CLIENT, kind, attacker.url) as (client, _):
            memory = Memory(client.pid)
            begin = time.monotonic()
            client.tell("call")
            said = client.line(limit)
            cell = ClientCell(name, kind, "", "", time.monotonic() - begin, memory.grown(), attacker.requests)
            return _told(cell, said, client)


def _told(cell: ClientCell, said: str, client: Program) -> ClientCell:
    if not said:
        return cell._replace(outcome="its end" if client.process.poll() is not None else "")
    outcome, text = json.loads(said)
    return cell._replace(outcome=outcome, text=text)

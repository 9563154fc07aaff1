"""The cells as a page of the documentation."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from xml.parsers import expat

from benchmarks.hostile.answers import ANSWERS
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.runner import LIMIT, Cell, ClientCell, CrowdCell
from benchmarks.hostile.verdict import GROWN, WHOLE, client_complaints, complaints, crowd_complaints

SERVERS = {
    "standard": "`xmlrpc.server`",
    "dropin": "`elsewhere.xmlrpc`",
    "threads": "`Service`, threads",
    "loop": "`Service`, loop",
}
CLIENTS = {"standard": "`xmlrpc.client`", "dropin": "`elsewhere.xmlrpc`", "client": "`elsewhere.connect`"}

HEAD = """# Hostile input over HTTP

Written by `python -m benchmarks.hostile --write` on {system} with Python {python}, {expat}. The standard library's
server and client beside ours, each with its default settings, in a process of its own for each cell.

A cell says what came back: an HTTP status, a *fault*, the end of the connection (*closed*), or a *value*; and how much
more memory the process took at its worst moment. What should not be is **bold**: no answer within {limit:.0f} s, a call
that ran although it should not have, XML that no parser reads, another caller who was not served while the attacker's
connection was still open, or more memory than {grown:.0f} MB ({whole:.0f} MB where a body of 64 MiB, the limit of
answers, may be there twice).

The drop-in keeps two habits of what it stands in for: the answers of its methods have no limit, and its client waits as
long as a call takes, unless it is given a `timeout=`.
"""
CROWD = """
## Slow on purpose

{connections} connections send one byte a second of a request that is never whole, half of them in its head, half in its
body, while somebody else calls.

| server | calls answered | slowest | memory | slow connections ended by then |
|---|--:|--:|--:|--:|
"""
ANSWERING = """
## Clients

A server that is nothing but a socket answers `echo("x")`. A client with default settings should raise an
error, and should have sent its request once.

"""


def page(cells: Iterable[Cell], crowds: Iterable[CrowdCell], clients: Iterable[ClientCell]) -> str:
    """Markdown."""
    found = {(cell.attack, cell.server): cell for cell in cells}
    of_clients = {(cell.attack, cell.client): cell for cell in clients}
    crowds = list(crowds)
    head = HEAD.format(
        system=platform.system(),
        python=platform.python_version(),
        expat=expat.EXPAT_VERSION.replace("expat_", "Expat "),
        limit=LIMIT,
        grown=GROWN,
        whole=WHOLE,
    )
    parts = [head, "\n## Servers\n\n", _titles("attack", SERVERS.values())]
    for name, attack in ATTACKS.items():
        parts.append(_row(attack.title, (_server(found.get((name, kind))) for kind in SERVERS)))
    parts.append(CROWD.format(connections=crowds[0].connections if crowds else 0))
    parts += [_crowd(cell) for cell in crowds]
    parts += [ANSWERING, _titles("answer", CLIENTS.values())]
    for name, answer in ANSWERS.items():
        parts.append(_row(answer.title, (_client(of_clients.get((name, kind))) for kind in CLIENTS)))
    return "".join(parts)


def _titles(first: str, names: Iterable[str]) -> str:
    names = list(names)
    return f"| {first} | {' | '.join(names)} |\n|---|{'---|' * len(names)}\n"


def _row(first: str, cells: Iterable[str]) -> str:
    return f"| {first} | {' | '.join(cells)} |\n"


def _memory(grown: float) -> str:
    return f", +{grown:.0f} MB" if grown >= 1 else ""


def _marked(plain: str, found: list[str]) -> str:
    return f"{plain}: **{', '.join(found)}**" if plain and found else f"**{', '.join(found)}**" if found else plain


def _server(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    found = list(complaints(cell))
    memory = "" if any(" MB" in text for text in found) else _memory(cell.grown)
    plain = "" if cell.outcome in {"", *found} else cell.outcome + memory
    return _marked(plain, found)


def _client(cell: ClientCell | None) -> str:
    if cell is None:
        return "–"
    found = list(client_complaints(cell))
    memory = "" if any(" MB" in text for text in found) else _memory(cell.grown)
    told = f"`{cell.outcome}`{memory}" if cell.outcome not in {"", "its end", "value"} else ""
    return _marked("" if any(cell.outcome in text for text in found) else told, found)


def _crowd(cell: CrowdCell) -> str:
    served = f"{cell.served} of {cell.calls}"
    if list(crowd_complaints(cell)):
        served = f"**{served}**"
    slowest = f"{1000 * cell.slowest:,.0f} ms"
    return _row(
        SERVERS[cell.server], [served, slowest, f"+{cell.grown:.0f} MB", f"{cell.closed} of {cell.connections}"]
    )

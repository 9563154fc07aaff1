"""From the options to where ``map`` calls. What is wrong is said before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from elsewhere.cli.batch.engine import Engine, processes
from elsewhere.cli.completion.candidates import one_of
from elsewhere.cli.ending import WrongUsage
from elsewhere.cli.hosts.options import CHOOSING, REACHING, host_options
from elsewhere.cli.options import Decorator
from elsewhere.cli.places.engines import far, threads

__all__ = ["Place", "choose_place", "place_options"]

OPTIONS = (*CHOOSING, *REACHING)
DASK = ("dask://", "dask+tls://")
NAMES = ("processes", "threads", "dask", "dask://", "dask+tls://")
PLACES = "processes, threads, dask, dask://HOST:PORT or dask+tls://HOST:PORT"


@dataclass(frozen=True)
class Place:
    """Where calls go.

    Attributes:
        engine: makes them.
        says: lines of a dry run; nothing for worker processes.
    """

    engine: Engine = processes
    says: tuple[str, ...] = ()


def place_options(command: Any) -> Any:
    """The options that say where."""
    where: Decorator = click.option(
        "--where",
        metavar="PLACE",
        shell_complete=one_of(*NAMES),
        help="processes (the default), threads, dask or dask://HOST:PORT.",
    )
    return where(host_options(*OPTIONS)(command))


def choose_place(given: Mapping[str, Any], *, stdin_is_taken: bool) -> Place:
    """The place that is meant; no host is connected.

    Args:
        given: the options.
        stdin_is_taken: inputs come from there.

    Raises:
        WrongUsage: it is none, or two.
        Problem: what reaches it is not installed.
    """
    where = given["where"]
    named = [name for name in OPTIONS if given[name]]
    if where is not None:
        return _at(where, named)
    if not named:
        return Place()
    from elsewhere.cli.hosts.chosen import choose_hosts
    from elsewhere.fleet import Fleet

    if stdin_is_taken and any("@-" in text for text in (*given["hosts"], *given["exclude"])):
        raise WrongUsage("Hosts (@-) and inputs would both come from stdin: give one of them by a file.")
    hosts = choose_hosts(dict(given))
    width = max(len(str(host)) for host in hosts)
    lines = [f"{host!s:{width}}  {host.settings.address}" for host in hosts]
    return Place(far(Fleet(*hosts)), tuple(f"{'hosts' if not n else '':10}{line}" for n, line in enumerate(lines)))


def _at(where: str, named: list[str]) -> Place:
    if named:
        raise WrongUsage(f"--where {where} and hosts (-H, -g and what belongs to them) are two places: one has to go.")
    if where == "processes":
        return Place()
    says = (f"{'where':10}{where}",)
    if where == "threads":
        return Place(threads, says)
    if where == "dask" or (where.startswith(DASK) and not where.endswith("://")):
        return Place(far(where), says)
    raise WrongUsage(f"--where is {PLACES}, not {where!r}.")

"""Inventories that lie in files, or that programs print; which hosts are chosen."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from elsewhere.sansio.hosts.inventory import Entry, Inventory, parse
from elsewhere.sansio.hosts.names import Spec, expand, split

__all__ = ["Chosen", "choose", "read"]

PATIENCE = 60.0  # seconds for a program to print its inventory
LARGEST = 64 << 20  # bytes


class Chosen(NamedTuple):
    """A host to work on.

    Attributes:
        spec: as it was named.
        entry: what the inventory says of it, if that has it.
    """

    spec: Spec
    entry: Entry | None = None


def read(path: str) -> Inventory:
    """The inventory in a file; one that can be executed is run with ``--list``.

    Raises:
        ValueError: it is none, or cannot be had; says why.
    """
    path = os.path.expanduser(path)
    try:
        if os.path.isdir(path):
            raise ValueError(f"{path} is a folder, and an inventory is a file or a program")
        if os.access(path, os.X_OK):
            return parse(_printed(path), path)
        with open(path, encoding="utf-8") as file:
            text = file.read(LARGEST)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ValueError(f"the inventory {path} cannot be read: {reason}") from None
    return parse(text, path)


def _printed(path: str) -> str:
    try:
        done = subprocess.run(
            [os.path.abspath(path), "--list"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False, encoding="utf-8",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ValueError(f"{path} --list did not end within {PATIENCE:g} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        raise ValueError(f"{path} --list ended with exit status {done.returncode}: {last}")
    return done.stdout


def choose(
    hosts: Sequence[str] = (),
    groups: Sequence[str] = (),
    exclude: Sequence[str] = (),
    inventory: Inventory | None = None,
) -> list[Chosen]:
    """The hosts that are meant, each once, in the order in which they were named.

    Args:
        hosts: names, ranges, lists with commas; ``@FILE`` stands for the lines of a file, ``@-`` for those of stdin.
        groups: of the inventory.
        exclude: hosts, ranges, lists, or groups of the inventory.
        inventory: where groups are, and how its hosts are reached.

    Raises:
        ValueError: a name is none, or a group is unknown.
    """
    found: dict[str, Chosen] = {}
    for text in _texts(hosts):
        spec = Spec.parse(text)
        entry = inventory.get(spec.name) if inventory is not None else None
        found.setdefault(str(spec), Chosen(spec, entry))
    if groups and inventory is None:
        raise ValueError(f"the group {groups[0]!r} needs an inventory to be in: -i FILE names one")
    for group in (name for text in groups for name in split(text)):
        assert inventory is not None
        for entry in inventory.hosts(group):
            spec = Spec.parse(entry.name)
            found.setdefault(str(spec), Chosen(spec, entry))
    if not hosts and not groups and inventory is not None:
        for entry in inventory.hosts():
            spec = Spec.parse(entry.name)
            found.setdefault(str(spec), Chosen(spec, entry))
    without = _excluded(exclude, inventory)
    return [chosen for text, chosen in found.items() if text not in without and chosen.spec.name not in without]


def _texts(hosts: Sequence[str]) -> list[str]:
    found: list[str] = []
    for text in hosts:
        for part in split(text):
            if part.startswith("@"):
                found += _lines(part[1:])
            else:
                found += expand(part)
    return found


def _lines(path: str) -> list[str]:
    try:
        if path == "-":
            import sys

            lines = sys.stdin.read(LARGEST).splitlines()
        else:
            with open(os.path.expanduser(path), encoding="utf-8") as file:
                lines = file.read(LARGEST).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ValueError(f"the list of hosts {path} cannot be read: {reason}") from None
    return [host for line in lines for part in split(line.partition("#")[0]) for host in expand(part)]


def _excluded(exclude: Sequence[str], inventory: Inventory | None) -> set[str]:
    found: set[str] = set()
    for text in (part for each in exclude for part in split(each)):
        if inventory is not None and text in inventory.groups:
            found.update(entry.name for entry in inventory.hosts(text))
        else:
            found.update(str(Spec.parse(host)) for host in _texts([text]))
    return found

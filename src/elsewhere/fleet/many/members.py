"""Which hosts a fleet has: from names, ranges, groups and inventories, each host once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from elsewhere.fleet.host import Host

if TYPE_CHECKING:
    from elsewhere.sansio.hosts.inventory import Inventory

__all__ = ["members"]

Texts = str | Sequence[str]


def members(
    hosts: Iterable[Any],
    groups: Texts,
    exclude: Texts,
    inventory: str | os.PathLike[str] | Inventory | None,
    options: dict[str, Any],
) -> list[Host]:
    """The hosts, in the order in which they were named.

    Raises:
        TypeError, ValueError: something names no host, no group, no inventory, or no option.
    """
    from elsewhere.fleet.naming import inventory as inventories

    found: dict[str, Host] = {}
    known = _inventory(inventory)
    without = _texts("exclude", exclude)
    named = list(hosts)

    def add(texts: Sequence[str], groups: Sequence[str] = ()) -> None:
        for spec, entry in inventories.choose(texts, groups, without, known):
            if str(spec) not in found:
                found[str(spec)] = Host(str(spec), entry=entry, **options)

    for host in named:
        if isinstance(host, Host):
            if inventories.choose([str(host.spec)], (), without, known):
                found.setdefault(str(host.spec), host)
        elif isinstance(host, str):
            add([host])
        else:
            cure = ": Fleet(*hosts) takes those of a list" if isinstance(host, list | tuple | set) else ""
            raise TypeError(f"a host is a text such as deploy@web1:22 or a Host, not {host!r:.80}{cure}")
    chosen = _texts("groups", groups)
    if chosen or (not named and known is not None):
        add([], chosen)
    if not found:
        inventories.choose([], (), without, None)  # what is wrong in `exclude` is told all the same
        Host("localhost", **options)
    return list(found.values())


def _inventory(inventory: Any) -> Inventory | None:
    from elsewhere.fleet.naming.inventory import read
    from elsewhere.sansio.hosts.inventory import Inventory

    if inventory is None or isinstance(inventory, Inventory):
        return inventory
    if not isinstance(inventory, str | os.PathLike):
        raise TypeError(f"an inventory is a file, not {inventory!r:.80}")
    return read(os.fspath(inventory))


def _texts(name: str, texts: Texts) -> list[str]:
    found = [texts] if isinstance(texts, str) else list(texts)
    for text in found:
        if not isinstance(text, str):
            raise TypeError(f"{name} is a text or a list of them, and not {text!r:.80}")
    return found

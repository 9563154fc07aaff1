"""Which hosts a fleet has: from names, ranges, groups and inventories, each host once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from elsewhere.fleet.host import Host

if TYPE_CHECKING:
    from elsewhere.fleet.options import HostOptions
    from elsewhere.sansio.hosts.inventory import Inventory

__all__ = ["members"]

Texts = str | Sequence[str]


def members(
    hosts: Iterable[Any],
    groups: Texts,
    exclude: Texts,
    inventory: str | os.PathLike[str] | Inventory | None,
    options: HostOptions,
) -> list[Host]:
    """The hosts, in the order in which they were named; a `Host` is taken as it is, also if its name comes first.

    Raises:
        TypeError, ValueError: something names no host, no group, no inventory, or no option.
    """
    from elsewhere.fleet.naming.given import given
    from elsewhere.fleet.naming.inventory import choose

    given(options)  # what is wrong is told, though no host may be named
    own: dict[str, Host] = {}
    texts: list[str] = []
    for host in hosts:
        if isinstance(host, Host):
            texts.append(str(host.spec))
            own.setdefault(texts[-1], host)
        elif isinstance(host, str):
            texts.append(host)
        else:
            cure = ": Fleet(*hosts) takes those of a list" if isinstance(host, list | tuple | set) else ""
            raise TypeError(f"a host is a text such as deploy@web1:22 or a Host, not {host!r:.80}{cure}")
    chosen = choose(texts, _texts("groups", groups), _texts("exclude", exclude), _inventory(inventory))
    return [own.get(str(spec)) or Host(str(spec), entry=entry, **options) for spec, entry in chosen]


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

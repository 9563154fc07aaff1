"""Names to tasks, and all that is said of hosts to one list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from elsewhere.fabric.v1 import state
from elsewhere.fabric.v1.utils import abort, indent

__all__ = ["Namespace", "crawl", "merge", "parse_kwargs"]


class Namespace(dict[str, Any]):
    """The tasks of a module that another one imports; `default` is the one that its own name means."""

    default: Any = None


_Dict = Namespace


def crawl(name: str, mapping: Mapping[str, Any]) -> Any:
    """The task that a name with dots means, or None."""
    found: Any = mapping
    try:
        for key in name.split("."):
            found = found[key]
    except (KeyError, TypeError):
        return None
    if isinstance(found, Namespace):
        return found.default or None
    return found


def merge(hosts: Any, roles: Iterable[str], exclude: Any, roledefs: Mapping[str, Any]) -> list[str]:
    """The hosts and those of the roles, once each, without the excluded ones."""
    roles = list(roles)
    unknown = [role for role in roles if role not in roledefs]
    if unknown:
        abort(f"The following specified roles do not exist:\n{indent(unknown)}")
    found = [hosts] if isinstance(hosts, str) else list(hosts)
    for role in roles:
        value = roledefs[role]
        if isinstance(value, Mapping):
            value = value["hosts"]
        found += value() if callable(value) else value
    found = [host.strip() for host in found]
    if not state.env.dedupe_hosts:
        return found
    return [host for host in dict.fromkeys(found) if host not in exclude]


def parse_kwargs(kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], Any, Any, Any]:
    """What a task is called with, without what says where: those arguments, hosts, roles, excluded hosts."""
    rest = dict(kwargs)
    hosts: Any = []
    roles: Any = []
    exclude: Any = []
    for key, value in kwargs.items():
        match key:
            case "host":
                hosts = [value]
            case "hosts":
                hosts = value
            case "role":
                roles = [value]
            case "roles":
                roles = value
            case "exclude_hosts":
                exclude = value
            case _:
                continue
        del rest[key]
    return rest, hosts, roles, exclude

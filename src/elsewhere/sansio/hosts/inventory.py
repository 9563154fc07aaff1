"""Inventories: which hosts there are, in which groups, and how each is reached.

Three kinds, told apart by their text::

    web1                     [web]                                    {"web": {"hosts": ["web1", "web2"]},
    web2  # a comment        web[1:2] ansible_user=deploy              "prod": {"children": ["web"]},
    db[01-03]                [prod:children]                           "_meta": {"hostvars": {"web1": {...}}}}
                             web
                             [prod:vars]
                             ansible_port=2222

A plain list; Ansible's INI; what ``ansible-inventory --list`` prints, and each program that is an inventory:
https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html. Of the variables, those that say how to
reach a host, and its Python, are read; passwords never are.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from elsewhere.sansio.hosts.names import Spec, expand, split

__all__ = ["ALL", "Entry", "Inventory", "parse"]

ALL, UNGROUPED = "all", "ungrouped"
_SECTION = re.compile(r"\[([^\[\]:]+)(?::(vars|children|hosts))?\]\s*(?:[#;].*)?")
_USED = {
    "ansible_host": "hostname", "ansible_ssh_host": "hostname",
    "ansible_port": "port", "ansible_ssh_port": "port",
    "ansible_user": "user", "ansible_ssh_user": "user",
    "ansible_ssh_private_key_file": "key", "ansible_private_key_file": "key",
    "ansible_python_interpreter": "python",
}  # fmt: skip
_PROGRAM = re.compile(r"[^\s{}-][^\s{}]*")  # what is looked for by Ansible itself, or made by a template, is none


class Entry(NamedTuple):
    """A host of an inventory.

    Attributes:
        name: as the inventory has it.
        hostname, port, user, key: how it is reached, where the inventory says so; key is a private key's file.
        python: the interpreter there, if the inventory names one.
    """

    name: str
    hostname: str | None = None
    port: int | None = None
    user: str | None = None
    key: str | None = None
    python: str | None = None


class Inventory:
    """Hosts and groups.

    Args:
        members: of each group, its own hosts.
        children: of each group, the groups in it.
        host_vars, group_vars: variables.
        what: the inventory's name, for messages.
    """

    def __init__(
        self,
        members: Mapping[str, list[str]],
        children: Mapping[str, list[str]],
        host_vars: Mapping[str, Mapping[str, Any]],
        group_vars: Mapping[str, Mapping[str, Any]],
        what: str,
    ) -> None:
        self._members = {name: list(dict.fromkeys(hosts)) for name, hosts in members.items()}
        self._children = dict(children)
        self._host_vars = dict(host_vars)
        self._group_vars = dict(group_vars)
        self._what = what
        for group, inner in self._children.items():
            for child in inner:
                if child not in self._members and child not in self._children:
                    raise ValueError(f"{what}: the group {group!r} has the group {child!r}, which is not there")
        self._order = self._everything()
        self._entries = self._reached()

    @property
    def groups(self) -> list[str]:
        """The names of all groups; `ALL` is always one."""
        return [
            ALL,
            *(name for name in dict.fromkeys([*self._members, *self._children]) if name not in {ALL, UNGROUPED}),
        ]

    def hosts(self, group: str = ALL) -> list[Entry]:
        """The hosts of a group and of those in it, in the inventory's order, each once.

        Raises:
            ValueError: there is no such group; says which there are.
        """
        if group == ALL:
            return [self._entries[name] for name in self._order]
        if group not in self._members and group not in self._children:
            known = ", ".join(self.groups)
            raise ValueError(f"{self._what} has no group {group!r}: its groups are {known}")
        inside = self._inside(group)
        return [self._entries[name] for name in self._order if name in inside]

    def get(self, name: str) -> Entry | None:
        """The host of that name."""
        return self._entries.get(name)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _everything(self) -> list[str]:
        return list(dict.fromkeys([*(host for hosts in self._members.values() for host in hosts), *self._host_vars]))

    def _inside(self, group: str, seen: frozenset[str] = frozenset()) -> set[str]:
        found = set(self._members.get(group, ()))
        for child in self._children.get(group, ()):
            if child not in seen:  # groups that hold each other
                found |= self._inside(child, seen | {group, child})
        return found

    def _depths(self) -> list[str]:
        """Groups, those that hold others first: what is said further inside counts more."""
        depth = dict.fromkeys([*self._members, *self._children], 0)
        for _ in range(len(depth)):
            for group, inner in self._children.items():
                for child in inner:
                    depth[child] = max(depth[child], min(depth[group] + 1, len(depth)))
        return sorted(depth, key=depth.__getitem__)

    def _reached(self) -> dict[str, Entry]:
        known: dict[str, dict[str, Any]] = {name: dict(self._group_vars.get(ALL, {})) for name in self._order}
        for group in self._depths():
            told = self._group_vars.get(group, {}) if group != ALL else {}
            for name in self._inside(group) if told else ():
                known[name].update(told)
        return {name: self._entry(name, {**told, **self._host_vars.get(name, {})}) for name, told in known.items()}

    def _entry(self, name: str, told: Mapping[str, Any]) -> Entry:
        given: dict[str, Any] = {}
        for variable, field in _USED.items():
            value = told.get(variable)
            if value in {None, ""} or isinstance(value, list | dict):
                continue
            if field == "port":
                if not str(value).isdigit() or not 0 < int(value) <= 65535:
                    raise ValueError(f"{self._what}: {variable} of {name} is a port, not {value!r}")
                given[field] = int(value)
            elif field == "python":
                if _PROGRAM.fullmatch(str(value)) and not str(value).startswith("auto"):
                    given[field] = str(value)
            else:
                given[field] = str(value)
        try:
            Spec.parse(given.get("hostname", name))
        except ValueError as error:
            raise ValueError(f"{self._what}: {error}") from None
        return Entry(name, **given)


def parse(text: str, what: str) -> Inventory:
    """The inventory of a text, of whichever kind it is.

    Args:
        text: of the file, or what a program printed.
        what: its name, for messages.

    Raises:
        ValueError: it is none; says where.
    """
    if text.lstrip().startswith("{"):
        return _json(text, what)
    lines = [line.strip() for line in text.splitlines()]
    if any(_SECTION.fullmatch(line) for line in lines):
        return _ini(lines, what)
    hosts = [host for number, line in enumerate(lines, 1) for host in _plain(line, f"{what}, line {number}")]
    return Inventory({UNGROUPED: hosts}, {}, {}, {}, what)


def _plain(line: str, where: str) -> list[str]:
    bare = line.partition("#")[0].strip()
    try:
        found = [host for part in split(bare) for host in expand(part)]
        for host in found:
            Spec.parse(host)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return found


def _ini(lines: Iterable[str], what: str) -> Inventory:
    members: dict[str, list[str]] = {}
    children: dict[str, list[str]] = {}
    host_vars: dict[str, dict[str, Any]] = {}
    group_vars: dict[str, dict[str, Any]] = {}
    group, kind = UNGROUPED, "hosts"
    for number, line in enumerate(lines, 1):
        if not line or line[0] in "#;":
            continue
        where = f"{what}, line {number}"
        section = _SECTION.fullmatch(line)
        if section is not None:
            group, kind = section[1].strip(), section[2] or "hosts"
            (children if kind == "children" else members).setdefault(group, [])
        elif kind == "children":
            children[group].append(line.partition("#")[0].strip())
        elif kind == "vars":
            name, told, value = line.partition("=")
            if not told:
                raise ValueError(f"{where}: a variable is written name=value")
            group_vars.setdefault(group, {})[name.strip()] = _value(value.strip(), where)
        else:
            for host, variables in _host_line(line, where):
                members.setdefault(group, []).append(host)
                host_vars.setdefault(host, {}).update(variables)
    return Inventory(members, children, host_vars, group_vars, what)


def _host_line(line: str, where: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        first, *rest = shlex.split(line, comments=True)
        hosts = expand(first)
        for host in hosts:
            Spec.parse(host)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    variables = {}
    for word in rest:
        name, told, value = word.partition("=")
        if not told:
            raise ValueError(
                f"{where}: {word!r} is no variable, which is written name=value; a line holds one host or range"
            )
        variables[name] = value
    return [(host, variables) for host in hosts]


def _value(text: str, where: str) -> str:
    try:
        return " ".join(shlex.split(text, comments=True))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _json(text: str, what: str) -> Inventory:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{what} is no inventory: {error}") from None
    members: dict[str, list[str]] = {}
    children: dict[str, list[str]] = {}
    group_vars: dict[str, dict[str, Any]] = {}
    meta = _mapping(found.pop("_meta", {}), f"{what}: _meta")
    host_vars = _mapping(meta.get("hostvars", {}), f"{what}: hostvars")
    for group, told in found.items():
        if isinstance(told, list):
            told = {"hosts": told}
        told = _mapping(told, f"{what}: the group {group!r}")
        members[group] = _texts(told.get("hosts", []), f"{what}: the hosts of {group!r}")
        children[group] = _texts(told.get("children", []), f"{what}: the children of {group!r}")
        group_vars[group] = _mapping(told.get("vars", {}), f"{what}: the vars of {group!r}")
    for inner in children.values():
        for child in inner:
            members.setdefault(child, [])  # ansible-inventory leaves out groups that hold nothing
    return Inventory(
        members, children, {name: _mapping(each, f"{what}: the vars of {name!r}") for name, each in host_vars.items()},
        group_vars, what,
    )  # fmt: skip


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is an object in JSON, not {value!r:.80}")  # noqa: TRY004 - of the text, not of a type
    return value


def _texts(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{where} are a list of texts in JSON, not {value!r:.80}")
    return value

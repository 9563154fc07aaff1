"""How to get to a host: what was given, then what the inventory says, then ~/.ssh/config, then the defaults."""

from __future__ import annotations

import getpass
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from elsewhere.fleet.naming.config import USUAL, config_of
from elsewhere.sansio.hosts.inventory import Entry
from elsewhere.sansio.hosts.names import Spec

__all__ = ["POLICIES", "Given", "Settings", "resolve"]

POLICIES = ("strict", "accept-new", "off")
KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_STRICT = {"yes": "strict", "true": "strict", "ask": "strict", "accept-new": "accept-new", "no": "off", "off": "off"}
_ALGORITHMS = {
    "Ciphers": "encryption_algs", "KexAlgorithms": "kex_algs", "MACs": "mac_algs",
    "HostKeyAlgorithms": "server_host_key_algs", "CASignatureAlgorithms": "signature_algs",
}  # fmt: skip
MOST_JUMPS = 8


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the program itself says of its hosts and how to reach them; None where it leaves that to others.

    Attributes:
        user, port: where the host's name does not say them.
        keys: files of private keys, or keys that asyncssh has loaded; only these are tried, with () no file at all.
        passphrase: of encrypted keys.
        password: of the login. It shows nowhere.
        known_hosts: files, instead of the configured ones.
        host_keys: ``"strict"``, ``"accept-new"`` or ``"off"``. A key that has changed is fatal with the first two.
        connect_timeout: seconds for the whole way up to the login.
        keepalive: seconds between two looks whether the host is still there; 0 for none.
        jump: hosts on the way, the first one first: names, with commas between them.
        proxy_command: a program whose input and output are the way there; see `Host`.
        agent: use the agent of ssh (True, False, or the path of its socket).
        forward_agent: let the far side use it.
        config: files instead of the usual ones; none at all: ``()``.
        python: the interpreter that runs Python functions there, a path or a name; the first that is found, if None.
        trust: unpickle whatever functions give back, which lets the host run code here. Only a program can say so: no
            inventory, and no configuration of ssh.
    """

    user: str | None = None
    port: int | None = None
    keys: tuple[Any, ...] | None = None
    passphrase: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    known_hosts: tuple[str, ...] | None = None
    host_keys: str | None = None
    connect_timeout: float | None = None
    keepalive: float | None = None
    jump: str | None = None
    proxy_command: str | None = None
    agent: bool | str | None = None
    forward_agent: bool | None = None
    config: tuple[str, ...] | None = None
    python: str | None = None
    trust: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to get to a host; each attribute is known.

    Attributes:
        name: what it is called in messages: as it was named.
        hostname, port, user: where to.
        alias: the name under which its key is known, if that is another.
        keys, certificates: to try, in this order; empty: the usual ones.
        only_keys: of an agent's keys, too, only those are tried.
        usual_keys: not where it was said that there are no files of keys.
        passphrase, password: see `Given`.
        known_hosts: files that exist or may be made, the first is the one that is added to.
        policy: see `Given.host_keys`.
        connect_timeout, keepalive: seconds; keepalive_count unanswered looks end the connection.
        jumps: on the way to it, in their order.
        proxy_command: a program instead of a connection.
        agent: the path of its socket; None for none.
        forward_agent: see `Given`.
        more: further arguments of `asyncssh.connect`: algorithms.
    """

    name: str
    hostname: str
    port: int
    user: str
    alias: str | None = None
    keys: tuple[Any, ...] = ()
    certificates: tuple[str, ...] = ()
    only_keys: bool = False
    usual_keys: bool = True
    passphrase: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    known_hosts: tuple[str, ...] = ()
    policy: str = "strict"
    connect_timeout: float = 10.0
    keepalive: float = 15.0
    keepalive_count: int = 3
    jumps: tuple[Settings, ...] = ()
    proxy_command: str | None = None
    agent: str | None = None
    forward_agent: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.hostname, self.port, self.user))

    @property
    def address(self) -> str:
        """As a URL."""
        host = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        return f"ssh://{self.user}@{host}:{self.port}"


def resolve(spec: Spec, given: Given | None = None, entry: Entry | None = None, *, _jumps: int = 0) -> Settings:
    """How to get to a host.

    Args:
        spec: the host, as it was named.
        given: what the program says.
        entry: what an inventory says of it.

    Raises:
        ValueError: a configuration file, or something in it, cannot be understood.
    """
    given = given or Given()
    entry = entry or Entry(spec.name)
    user = spec.user or given.user or entry.user
    port = spec.port or given.port or entry.port
    files = USUAL if given.config is None else given.config
    says = config_of(entry.hostname or spec.name, user, port, files)
    keys = given.keys if given.keys is not None else (entry.key,) if entry.key else _there(says.get("IdentityFile"))
    hostname = str(says.get("Hostname") or entry.hostname or spec.name)
    port = port or int(says.get("Port") or 22)
    user = user or str(says.get("User") or getpass.getuser())
    return Settings(
        name=str(spec),
        hostname=hostname,
        port=port,
        user=user,
        alias=says.get("HostKeyAlias"),
        keys=tuple(os.path.expanduser(key) if isinstance(key, str) else key for key in keys),
        certificates=_files(says.get("CertificateFile")),
        usual_keys=given.keys is None,
        only_keys=given.keys is not None or bool(says.get("IdentitiesOnly")),
        passphrase=given.passphrase,
        password=given.password,
        known_hosts=_known_hosts(given, says),
        policy=given.host_keys or _policy(says.get("StrictHostKeyChecking")),
        connect_timeout=float(_first(given.connect_timeout, says.get("ConnectTimeout"), 10.0)),
        keepalive=float(_first(given.keepalive, says.get("ServerAliveInterval"), 15.0)),
        keepalive_count=int(says.get("ServerAliveCountMax", 3)),
        jumps=_route(spec, given, says, _jumps),
        proxy_command=_proxy(given, says, {"%h": hostname, "%p": str(port), "%r": user, "%%": "%"}),
        agent=_agent(given, says),
        forward_agent=bool(_first(given.forward_agent, says.get("ForwardAgent"), False)),
        more={ours: says[theirs] for theirs, ours in _ALGORITHMS.items() if says.get(theirs)},
    )


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _files(names: Any) -> tuple[str, ...]:
    return tuple(os.path.expanduser(str(name)) for name in names or ())


def _there(names: Any) -> tuple[str, ...]:
    """Those that exist, as ssh does it; all where none does, so that this is told."""
    files = _files(names)
    return tuple(filter(os.path.exists, files)) or files


def _policy(told: Any) -> str:
    if told is None:
        return "strict"
    policy = _STRICT.get(str(told).lower())
    if policy is None:
        raise ValueError(f"StrictHostKeyChecking is yes, accept-new or no in the configuration of ssh, not {told!r}")
    return policy


def _known_hosts(given: Given, says: Mapping[str, Any]) -> tuple[str, ...]:
    if given.known_hosts is not None:
        return _files(given.known_hosts)
    users = says.get("UserKnownHostsFile")
    systems = says.get("GlobalKnownHostsFile")
    files = [*(KNOWN_HOSTS[:2] if users is None else users), *(KNOWN_HOSTS[2:] if systems is None else systems)]
    return tuple(dict.fromkeys(_files(files)))


def _agent(given: Given, says: Mapping[str, Any]) -> str | None:
    if given.agent is False:
        return None
    if isinstance(given.agent, str):
        return os.path.expanduser(given.agent)
    told = says.get("IdentityAgent", "SSH_AUTH_SOCK")
    if told is None:  # "none"
        return None
    if told == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK") or None
    return os.path.expanduser(os.path.expandvars(str(told)))


def _proxy(given: Given, says: Mapping[str, Any], signs: Mapping[str, str]) -> str | None:
    """The program instead of a connection, with what its signs stand for; those of a file are filled in already."""
    if given.proxy_command is not None:
        told = given.proxy_command
        return None if told.lower() == "none" else re.sub("%[hpr%]", lambda sign: shlex.quote(signs[sign[0]]), told)
    return says.get("ProxyCommand") if given.jump is None and not says.get("ProxyJump") else None


def _route(spec: Spec, given: Given, says: Mapping[str, Any], depth: int) -> tuple[Settings, ...]:
    """The hosts on the way, with those on the way to the first of them."""
    told = given.jump if given.jump is not None else says.get("ProxyJump")
    if given.proxy_command is not None or not told or str(told).lower() == "none":
        return ()
    if depth >= MOST_JUMPS:
        raise ValueError(f"the way to {spec} has more than {MOST_JUMPS} hosts: ProxyJump leads in a circle")
    names: Sequence[str] = [name.strip() for name in str(told).split(",") if name.strip()]
    own = replace(given, user=None, port=None, jump=None)
    way: list[Settings] = []
    for index, name in enumerate(names):
        further = own if index == 0 else replace(own, jump="none")
        found = resolve(Spec.parse(name), further, _jumps=depth + 1)
        way += [*found.jumps, replace(found, jumps=())]
    if len(way) > MOST_JUMPS:
        raise ValueError(f"the way to {spec} has more than {MOST_JUMPS} hosts: ProxyJump leads in a circle")
    return tuple(way)

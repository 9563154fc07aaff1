"""From options to hosts: which are meant, and how they are reached. What is wrong is said before anybody connects."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from elsewhere.cli.ending import Problem, WrongUsage, sentence
from elsewhere.fleet import Host
from elsewhere.fleet.naming.inventory import choose, read
from elsewhere.fleet.naming.needed import NeedsAsyncssh, load_asyncssh

__all__ = ["Files", "choose_hosts", "sorted_files"]

LOOKED_AT = 4096  # bytes of a file, to tell what it is
_KEY = re.compile(rb"^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----", re.MULTILINE)
_PUBLIC = re.compile(rb"\A\s*(ssh-|ecdsa-|sk-)[\w@.-]+ AAAA")


class Files(NamedTuple):
    """What the files of the command line are.

    Attributes:
        inventory: a path, or None.
        identities: paths of private keys.
    """

    inventory: str | None
    identities: tuple[str, ...]


def choose_hosts(given: dict[str, Any]) -> list[Host]:
    """The hosts that are meant, each once; none of them is connected.

    Raises:
        WrongUsage: there is none, or something about them cannot be understood.
        Problem: what reaches them is not installed.
    """
    files = sorted_files(given["files"], given["inventory"], given["identities"])
    if not given["hosts"] and not given["groups"]:
        raise WrongUsage(
            "No host is named: give -H web1,web2, or -g GROUP with an inventory (-i FILE); -g all is all of it."
        )
    try:
        load_asyncssh()
    except NeedsAsyncssh as error:
        raise Problem(sentence(error)) from None
    if sys.stdin is None and any("@-" in text for text in (*given["hosts"], *given["exclude"])):
        raise WrongUsage("The list of hosts is to come from stdin (@-), which is closed.")
    options = {
        "user": given["user"],
        "port": given["port"],
        "jump": given["jump"],
        "host_keys": "accept-new" if given["accept_new"] else None,
        "connect_timeout": given["connect_timeout"],
        "keys": tuple(map(os.path.abspath, files.identities)) or None,
    }
    try:
        inventory = read(files.inventory) if files.inventory is not None else None
        chosen = choose(given["hosts"], given["groups"], given["exclude"], inventory)
        hosts = [Host(str(each.spec), entry=each.entry, **options) for each in chosen]
        for host in hosts:
            host.settings  # noqa: B018 - what is wrong in ~/.ssh/config is found now
    except (ValueError, TypeError) as error:
        raise WrongUsage(sentence(error)) from None
    if not hosts:
        raise WrongUsage("No host is left: -x leaves out all that -H and -g name, or these name none.")
    return hosts


def sorted_files(files: Sequence[str], inventory: str | None, identities: Sequence[str]) -> Files:
    """Tell what each file of ``-i`` is: users of ssh mean a key by it, users of Ansible an inventory.

    Args:
        files: of ``-i``.
        inventory: of ``--inventory``.
        identities: of ``--identity``.

    Raises:
        WrongUsage: one is neither, or not what it is said to be, or there are two inventories.
    """
    keys = list(identities)
    inventories = [] if inventory is None else [inventory]
    for path in identities:
        if not _is_key(path, "--identity"):
            raise WrongUsage(f"--identity {path} is no private key.")
    for path in files:
        (keys if _is_key(path, "-i") else inventories).append(path)
    if inventory is not None and not os.access(inventory, os.X_OK) and _is_key(inventory, "--inventory"):
        raise WrongUsage(f"--inventory {inventory} is a private key: --identity takes those.")
    if len(inventories) > 1:
        raise WrongUsage(f"There are two inventories, {inventories[0]} and {inventories[1]}: one of them has to go.")
    return Files(inventories[0] if inventories else None, tuple(keys))


def _is_key(path: str, option: str) -> bool:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            begin = file.read(LOOKED_AT)
    except OSError as error:
        raise WrongUsage(f"{option} {path} cannot be read: {error.strerror}.") from None
    if _KEY.search(begin):
        return True
    if _PUBLIC.match(begin):
        raise WrongUsage(f"{option} {path} is a public key: the private one, which is beside it, opens hosts.")
    if begin.startswith(b"PuTTY-User-Key-File"):
        raise WrongUsage(f"{option} {path} is PuTTY's: puttygen {path} -O private-openssh -o KEY makes one for us.")
    if begin.startswith(b"-----BEGIN "):
        raise WrongUsage(f"{option} {path} is neither a private key nor an inventory.")
    return False

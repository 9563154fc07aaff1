"""Hosts that a reader of our pages knows by name: web1, web2, web3 and db1, on a real sshd."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.fleet.sshd import account, administrator, sshd

ADDRESSES = {"web1": "127.64.0.1", "web2": "127.64.0.2", "web3": "127.64.0.3", "db1": "127.64.0.4"}


@contextlib.contextmanager
def known_hosts(folder: Path) -> Iterator[Path]:
    """A folder whose `.ssh` knows them. Each has a user with a home of its own, who may use sudo without a password.

    Only root can make users, and sudo has to be there.
    """
    rule = Path(f"/etc/sudoers.d/elsewhere-docs-{os.getpid()}")
    users = {name: f"ew{name}-{os.getpid()}" for name in ADDRESSES}
    for made in ("sshd", "home"):
        (folder / made).mkdir()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(sshd(folder / "sshd", list(ADDRESSES.values())))
        for user in users.values():
            stack.enter_context(account(user, server))
        stack.callback(rule.unlink, missing_ok=True)
        rule.touch(mode=0o440)
        rule.write_text("".join(f"{user} ALL=(ALL) NOPASSWD: ALL\n" for user in users.values()))
        subprocess.run([administrator("visudo"), "-cqf", rule], check=True)
        (folder / "home" / ".ssh").mkdir(mode=0o700)
        (folder / "home" / ".ssh" / "config").write_text(
            "".join(f"Host {name}\n  Hostname {ADDRESSES[name]}\n  User {users[name]}\n" for name in ADDRESSES)
            + f"Host *\n  Port {server.port}\n  IdentityFile {server.key}\n"
            f"  UserKnownHostsFile {server.known_hosts}\n  IdentityAgent none\n"
        )
        yield folder / "home"

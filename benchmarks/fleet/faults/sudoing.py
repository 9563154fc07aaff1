"""The cases of sudo: a user with a password, and what sudoers says of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.fleet.faults.ground import Ground, Said
from tests.fleet.sshd import account, administrator

USER = f"ewsudo{os.getpid()}"
TELLING = ("password", "sudoers", "allow", "terminal", "tty")  # one of which a message about sudo has


class Case(NamedTuple):
    """A case.

    Attributes:
        title: as the table shows it.
        rule: of sudoers, without the user; "" if the user may do nothing.
        defaults: of sudoers, for the user.
        password: "right", "wrong", or "" for none that is given.
        before: a command under sudo before, with the right password.
        well: the command should run.
    """

    title: str
    rule: str = "ALL=(ALL) ALL"
    defaults: str = ""
    password: str = ""
    before: bool = False
    well: bool = True


CASES = {
    "nopasswd": Case("NOPASSWD", rule="ALL=(ALL) NOPASSWD: ALL"),
    "cached": Case("cached", defaults="timestamp_type=global", before=True),
    "right": Case("the right password", password="right"),
    "wrong": Case("a wrong password", password="wrong", well=False),
    "missing": Case("no password, and it asks for one", well=False),
    "requiretty": Case("requiretty", rule="ALL=(ALL) NOPASSWD: ALL", defaults="requiretty"),
    "stranger": Case("not in sudoers", rule="", password="right", well=False),
}


def run(ground: Ground, who: str, case: Case) -> Said:
    """Run ``id -u`` under sudo."""
    password = secrets.token_hex(8)
    given = {"right": password, "wrong": "wrong", "": None}[case.password]
    with account(USER, ground.server), _sudoers(case):
        # On stdin, so that it stands in no command line.
        subprocess.run([administrator("chpasswd")], input=f"{USER}:{password}\n", text=True, check=True)
        with ground.actor(who, user=USER) as actor:
            return actor.ask("sudo", "id -u", given, password if case.before else None)


@contextlib.contextmanager
def _sudoers(case: Case) -> Iterator[None]:
    file = Path(f"/etc/sudoers.d/elsewhere-faults-{USER}")
    lines = [f"Defaults:{USER} {case.defaults}\n"] * bool(case.defaults) + [f"{USER} {case.rule}\n"] * bool(case.rule)
    Path(f"/run/sudo/ts/{USER}").unlink(missing_ok=True)
    file.touch(mode=0o440)
    try:
        file.write_text("".join(lines))
        subprocess.run([administrator("visudo"), "-cqf", str(file)], check=True)
        yield
    finally:
        file.unlink()
        Path(f"/run/sudo/ts/{USER}").unlink(missing_ok=True)


def clear(said: Said) -> bool:
    """Does it say what is wrong?"""
    return any(word in said.text for word in TELLING)

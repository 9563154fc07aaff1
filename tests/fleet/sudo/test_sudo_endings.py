"""However a command under sudo is given up, nothing of it is left running, though it is another user's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import CallTimeout, ConnectionLost
from elsewhere.fleet.engine import engine
from tests.fleet.sshd import Sshd
from tests.fleet.sudo.conftest import On, running
from tests.fleet.test_link import becomes, gone, options

pytestmark = pytest.mark.bound(60)
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("free", {}),
    ("plain", {}),
    ("tty", {}),
    ("free", {"pty": True}),
    ("plain", {"pty": True}),
]


def busy(path: Path, trap: str = "") -> str:
    """A command that never ends, and has a child that never ends; both tell their processes."""
    return f"{trap}sleep 1000 & echo $! $$ > {path}/new; mv {path}/new {path}/pids; sleep 1000; sleep 1000"


def pids(path: Path) -> list[int]:
    becomes((path / "pids").exists)
    return [int(pid) for pid in (path / "pids").read_text().split()]


def all_gone(found: list[int]) -> None:
    began = time.monotonic()
    becomes(lambda: all(map(gone, found)))
    assert time.monotonic() - began < 15  # 2 s of grace; the rest is what a busy machine takes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where root writes; nobody else has to."""
    return tmp_path


@pytest.mark.parametrize(("login", "how"), KINDS)
def test_cancelling(on: On, folder: Path, login: str, how: dict[str, Any]) -> None:
    future = on(login).sudo_async(busy(folder), **how)
    found = pids(folder)
    assert future.cancel()
    all_gone(found)


@pytest.mark.parametrize(("login", "how"), [("free", {}), ("plain", {}), ("free", {"pty": True})])
def test_cancelling_what_does_not_want_to_end(on: On, folder: Path, login: str, how: dict[str, Any]) -> None:
    future = on(login).sudo_async(busy(folder, "trap '' TERM HUP INT; "), **how)
    found = pids(folder)
    assert future.cancel()
    all_gone(found)


@pytest.mark.parametrize("login", ["free", "plain"])
def test_cancelling_what_is_neither_ours_nor_roots(on: On, login: str) -> None:
    seconds = f"1000.{os.getpid()}"
    future = on(login).sudo_async(f"sleep {seconds} & exec sleep {seconds}", user="nobody")
    becomes(lambda: len(running(f"sleep\0{seconds}")) == 2)
    found = running(f"sleep\0{seconds}")
    assert future.cancel()
    all_gone(found)


def test_cancelling_at_any_moment(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before there is a channel, while sudo decides, while it is told what to run."""
    nonce = secrets.token_hex(8)
    monkeypatch.setattr(secrets, "token_hex", lambda _size: nonce)
    host = on("free")
    host.sudo("true", timeout=30)

    async def turn() -> None:
        await asyncio.sleep(0)

    for turns in range(0, 60, 6):
        future = host.sudo_async("exec sleep 1000")
        for _ in range(turns):
            engine().call(turn)
        future.cancel()
    becomes(lambda: not running(nonce))
    assert host.sudo("echo well", timeout=30).stdout == "well\n"


def test_a_timeout(on: On, folder: Path) -> None:
    host = on("free")
    assert host.sudo("echo well", timeout=30).stdout == "well\n"
    with pytest.raises(CallTimeout, match=r"under sudo did not end within its timeout of 2 s, and was ended after"):
        host.sudo(busy(folder), timeout=2)
    if (folder / "pids").exists():  # on a busy machine it may not have begun
        all_gone(pids(folder))
    assert host.sudo("echo well", timeout=30).stdout == "well\n"


def test_ctrl_c(on: On, folder: Path) -> None:
    def interrupt() -> None:
        pids(folder)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        on("free").sudo(busy(folder))
    thread.join()
    all_gone(pids(folder))


@pytest.mark.parametrize(("login", "how"), KINDS)
def test_a_connection_that_breaks(on: On, folder: Path, login: str, how: dict[str, Any]) -> None:
    host = on(login)
    future = host.sudo_async(busy(folder), **how)
    found = pids(folder)

    async def cut() -> None:
        (await host.link.connection()).abort()

    engine().call(cut)
    with pytest.raises(ConnectionLost, match="under sudo may have run"):
        future.result(30)
    all_gone(found)


PROGRAM = """
import sys
from elsewhere.fleet import Host
name, user, port, key, known, command, pty = sys.argv[1:]
host = Host(name, user=user, port=int(port), keys=(key,), known_hosts=(known,), config=(), agent=False)
host.sudo(command, input=None if pty else b"x" * 10_000_000, pty=bool(pty))
"""


@pytest.mark.parametrize(("login", "pty"), [("free", ""), ("plain", ""), ("tty", ""), ("free", "1")])
def test_killing_the_program(server: Sshd, logins: dict[str, str], folder: Path, login: str, pty: str) -> None:
    """It reads none of its input, which is more than any pipe holds."""
    how = options(server)
    where = [server.hosts[0], logins[login], how["port"], how["keys"][0], how["known_hosts"][0]]
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, where), busy(folder), pty])
    try:
        found = pids(folder)
    finally:
        program.kill()
        program.wait()
    all_gone(found)


def test_half_an_input_is_not_taken_for_the_whole(on: On, folder: Path) -> None:
    """Who reads to the end of a connection that breaks hears of that before it sees an end."""
    host = on("free")
    future = host.sudo_async(
        f"cat > {folder}/got; echo whole > {folder}/whole", input=None, answers={"never asked": ""}
    )
    becomes((folder / "got").exists)

    async def cut() -> None:
        (await host.link.connection()).abort()

    engine().call(cut)
    with pytest.raises(ConnectionLost):
        future.result(30)
    assert host.sudo("echo well", timeout=30).stdout == "well\n"
    assert not (folder / "whole").exists()


def group_of(pid: int) -> set[int]:
    """The processes of its group."""
    found = set()
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if os.getpgid(int(each.name)) == os.getpgid(pid):
                found.add(int(each.name))
    return found


@pytest.mark.parametrize(("login", "how"), KINDS)
def test_what_was_left_in_the_background_stays(on: On, folder: Path, login: str, how: dict[str, Any]) -> None:
    """As without sudo: a command that has ended in order may leave somebody behind, and we nobody."""
    on(login).sudo(f"trap '' HUP; sleep 1000 >/dev/null 2>&1 & echo $! > {folder}/pid", timeout=30, **how)
    pid = int((folder / "pid").read_text())
    try:
        becomes(lambda: group_of(pid) <= {pid})
        assert not gone(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("login", ["free", "plain", "tty"])
def test_detached(on: On, login: str) -> None:
    told: Any = on(login).sudo("exec sleep 1000", user="nobody", detach=True, timeout=30)
    try:
        becomes(lambda: Path(f"/proc/{told.pid}/cmdline").read_bytes() == b"sleep\x001000\0")
        on(login).sudo("true", timeout=30)
        assert os.stat(f"/proc/{told.pid}").st_uid == pwd.getpwnam("nobody").pw_uid
    finally:
        os.kill(told.pid, signal.SIGKILL)

"""docs/security.md: what it says of sockets and users, and what no other test asks."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import elsewhere
from elsewhere import Service
from tests.docs.spans import tables
from tests.docs.test_guarantees import COMMENT, missing
from tests.require import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
NOBODY = 65534
EVERYTHING = """
import os, sys, time
import elsewhere
from elsewhere import shared

pool = elsewhere.Pool(2)
lock, pipe, array, value = elsewhere.Lock(), elsewhere.Pipe(), shared.zeros(1000), elsewhere.Value("i")
queue = elsewhere.Queue()
print(pool.apply(lambda end, array: len(array), (pipe[1], array)))
process = elsewhere.Process(target=queue.get, daemon=True)
process.start()
manager = elsewhere.Manager()
shared_dict = manager.dict()
print(" ".join(map(str, [os.getpid(), process.pid, *pool.map(lambda _: os.getpid(), range(20))])), flush=True)
sys.stdin.read()
"""
NETWORK = ["tcp", "tcp6", "udp", "udp6"]


def test_each_line_names_tests_that_exist():
    assert missing(PAGE) == []
    for head, rows in tables(PAGE):
        for row in rows:
            assert len(row) == len(head), row
            for title, cell in zip(head[1:], row[1:], strict=True):
                assert title.startswith("since") or COMMENT.search(cell), (title, cell)
    checked = PAGE.partition("## What is checked")[2].partition("## What is not checked")[0]
    for item in re.findall(r"^(?:- |\*\*\w+\.\*\*).*?(?=^- |^\*\*|^\[|\Z)", checked, re.MULTILINE | re.DOTALL):
        assert COMMENT.search(item.replace("\n", " ")) or item.strip().endswith(".**"), item


def family(pid: int) -> list[int]:
    """It, and all that it has started."""
    children = [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]
    return [pid, *(each for child in children for each in family(child))]


def sockets(pid: int) -> set[str]:
    """The inodes of what it has open."""
    links = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]
    return {link.removeprefix("socket:[").rstrip("]") for link in links if link.startswith("socket:[")}


def test_nothing_listens_on_the_network():
    """A program that has one of everything on this machine."""
    with subprocess.Popen(
        [sys.executable, "-c", EVERYTHING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == "1000\n"
        told = set(map(int, program.stdout.readline().split()))
        pids = family(program.pid)
        assert told <= set(pids)
        inodes = set().union(*map(sockets, pids))
        assert len(inodes) > 5
        for kind in NETWORK:
            lines = Path(f"/proc/{program.pid}/net/{kind}").read_text().splitlines()[1:]
            assert [line for line in lines if line.split()[9] in inodes] == []
        listening = [  # the flag __SO_ACCEPTCON
            line.split()[7:]
            for line in Path(f"/proc/{program.pid}/net/unix").read_text().splitlines()[1:]
            if line.split()[6] in inodes and line.split()[3] == "00010000"
        ]
        assert listening
        for [name] in listening:
            assert re.fullmatch(r"@elsewhere-(manager-\d+-[0-9a-f]{16}|[0-9a-f]{32})", name)
        program.stdin.close()
        assert program.wait(60) == 0


def as_nobody(address: str) -> str:
    """What somebody else is told by who listens there."""
    process = elsewhere.Process(target=_as_nobody, args=(address,))
    process.start()
    said = process.result(30)
    process.join()
    process.close()
    return str(said)


def _as_nobody(address: str) -> str:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    return greeted(address)


def greeted(address: str) -> str:
    """What a server says to who connects to its Unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        try:
            sock.connect(address)
            return repr(sock.recv(100))
        except OSError as error:
            return type(error).__name__


root_alone = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@root_alone
def test_a_manager_is_for_its_own_user():
    with elsewhere.Manager() as manager:
        assert "CHALLENGE" in greeted(manager.address)
        assert as_nobody(manager.address) in {"b''", "ConnectionResetError"}


@root_alone
def test_a_unix_socket_is_its_owners():
    service = Service()
    service.register(len)
    before = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # not where pytest has its own, which are its user's
            os.chmod(folder, 0o755)
            with service.start(f"unix://{folder}/socket"):
                assert as_nobody(f"{folder}/none") == "FileNotFoundError"  # it may look there
                assert as_nobody(f"{folder}/socket") == "PermissionError"
    finally:
        os.umask(before)


def test_no_room_of_services_knows_pickle():
    """Nothing that reads from a network imports it; worker processes of a service are its own."""
    rooms = ["sansio/msgpackrpc.py", "sansio/jsonrpc.py", "sansio/xmlrpc", "rpc/calling", "rpc/web", "rpc/serving",
             "transport", "net", "msgpackrpc", "xmlrpc"]  # fmt: skip
    files = [
        file
        for room in rooms
        for path in [ROOT / "src" / "elsewhere" / room]
        for file in ([path] if path.suffix else path.rglob("*.py"))
    ]
    assert len(files) > 50
    knowing = [file.relative_to(ROOT) for file in files if re.search(r"import .*\b(cloud)?pickle\b", file.read_text())]
    assert knowing == []

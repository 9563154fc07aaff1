"""Connecting, whom to believe, what is told when it fails, and the watcher."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import ConnectError, ConnectTimeout, HostKeyError, Unauthorized
from elsewhere.fleet import Host
from elsewhere.fleet.engine import engine
from tests.fleet.inprocess import Yard
from tests.fleet.sshd import Sshd, sshd

PATIENCE = 20.0


def options(server: Sshd | Yard, **more: Any) -> dict[str, Any]:
    known = (str(server.known_hosts),)
    return {"port": server.port, "keys": (str(server.key),), "known_hosts": known, "config": (), "agent": False} | more


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:  # an orphan that nobody reaps is gone, too
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def becomes(what: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


# ---- whom to believe -------------------------------------------------------------------------------------------------


def test_an_unknown_key_is_not_believed(server: Sshd, tmp_path: Path) -> None:
    with Host(server.hosts[0], **options(server, known_hosts=(str(tmp_path / "known"),))) as host:
        with pytest.raises(HostKeyError, match="is not known: SHA256:") as caught:
            host.run("true")
        assert not caught.value.changed
        shown = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(server.key.parent / "host_key.pub")],
            capture_output=True,
            text=True,
            check=True,
        )
        assert caught.value.fingerprint in shown.stdout
        assert not (tmp_path / "known").exists()


def test_an_unknown_key_is_accepted_where_that_was_asked_for(server: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "ssh" / "known"
    for policy in ("accept-new", "strict"):
        with Host(server.hosts[0], **options(server, known_hosts=(str(known),), host_keys=policy)) as host:
            assert host.run("echo in").stdout == "in\n"
    assert len(known.read_text().splitlines()) == 1


@pytest.mark.parametrize("policy", ["strict", "accept-new", "off"])
def test_a_changed_key_is_fatal_whatever_was_asked_for(server: Sshd, tmp_path: Path, policy: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    kind, key = (tmp_path / "other.pub").read_text().split()[:2]
    known = tmp_path / "known"
    known.write_text(f"[{server.hosts[0]}]:{server.port} {kind} {key}\n")
    with Host(server.hosts[0], **options(server, known_hosts=(str(known),), host_keys=policy)) as host:
        with pytest.raises(HostKeyError, match="another ed25519 key than the one that is known") as caught:
            host.run("true")
        assert caught.value.changed
    assert len(known.read_text().splitlines()) == 1


# ---- what is told ----------------------------------------------------------------------------------------------------


def test_a_login_that_is_refused(server: Sshd, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    host = Host(server.hosts[0], **options(server, keys=(str(tmp_path / "other"),)))
    with host, pytest.raises(Unauthorized, match=f"does not let {server.user} in with any key that was offered"):
        host.run("true")


def test_nobody_listens(server: Sshd) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = Host("127.0.0.1", **options(server, port=free.getsockname()[1]))
        with host, pytest.raises(ConnectError, match="refuses connections: no sshd listens there") as caught:
            host.run("true")
    assert caught.value.phase == "connect"


def test_a_name_that_is_not_found(server: Sshd) -> None:
    host = Host("nobody.invalid", **options(server))
    with host, pytest.raises(ConnectError, match=r"the name nobody\.invalid is not found") as caught:
        host.run("true")
    assert caught.value.phase == "resolve"


def test_somebody_who_says_nothing(server: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = Host("127.0.0.1", **options(server, port=silent.getsockname()[1], connect_timeout=0.3))
        with host, pytest.raises(ConnectTimeout, match="does not finish the handshake") as caught:
            host.run("true")
    assert caught.value.phase == "handshake"


def test_keys_that_cannot_be_used(server: Sshd, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "sesame", "-f", str(locked)], check=True)
    (tmp_path / "none").write_text("no key\n")
    for path, says, more in (
        (tmp_path / "missing", "cannot be read: No such file", {}),
        (tmp_path / "none", "is no private key", {}),
        (locked, "is encrypted: passphrase= opens it", {}),
        (locked, "the passphrase for the key .* is wrong", {"passphrase": "abracadabra"}),
    ):
        with Host(server.hosts[0], **options(server, keys=(str(path),), **more)) as host:
            with pytest.raises(ValueError, match=says) as caught:
                host.run("true")
            assert "abracadabra" not in str(caught.value)


def test_an_encrypted_key(server: Sshd, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.write_bytes(server.key.read_bytes())
    locked.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "sesame", "-f", str(locked)], check=True)
    with Host(server.hosts[0], **options(server, keys=(str(locked),), passphrase="sesame")) as host:
        assert host.run("echo in").stdout == "in\n"


# ---- many, and on the way ------------------------------------------------------------------------------------------


def test_forty_at_once_to_an_sshd_that_takes_ten(tmp_path: Path) -> None:
    with sshd(tmp_path, ["127.0.2.1"], config="MaxStartups 10:30:60") as server:
        hosts = [Host(server.hosts[0], **options(server)) for _ in range(40)]
        try:
            futures = [host.run_async("echo in") for host in hosts]
            assert [future.result(60).stdout for future in futures] == ["in\n"] * 40
        finally:
            for host in hosts:
                host.close()


def test_through_other_hosts(server: Sshd) -> None:
    way = f"{server.hosts[1]}:{server.port},{server.hosts[2]}:{server.port}"
    with (
        Host(server.hosts[0], **options(server, jump=way)) as host,
        Host(server.hosts[3], **options(server, jump=way)) as other,
    ):
        found = host.run("echo $SSH_CONNECTION").stdout.split()
        assert found[0].startswith("127.")
        assert found[2] == server.hosts[0]
        assert other.run("echo in").stdout == "in\n"
        ways = list(engine().links._jumps.values())
        assert len(ways) == 2
        connections = [link._connection for link in ways]
    del ways
    becomes(lambda: all(connection is not None and connection.is_closed() for connection in connections))


def test_a_way_that_does_not_lead_there(server: Sshd) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        host = Host("127.0.0.1", **options(server, port=port, jump=f"{server.hosts[1]}:{server.port}"))
        with host, pytest.raises(ConnectError, match="the host before it on the way does not reach"):
            host.run("true")


RELAY = """
import os, socket, sys, threading
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def copy(read, write):
    while data := read(65536):
        write(data)
threading.Thread(target=copy, args=(sock.recv, lambda data: os.write(1, data)), daemon=True).start()
copy(lambda size: os.read(0, size), sock.sendall)
"""


def test_through_a_program(server: Sshd, tmp_path: Path) -> None:
    (tmp_path / "relay.py").write_text(RELAY)
    (tmp_path / "config").write_text(f"Host *\n ProxyCommand {sys.executable} {tmp_path}/relay.py %h %p 2>&1 | cat\n")
    with Host(server.hosts[0], **options(server, config=(str(tmp_path / "config"),))) as host:
        assert host.run("echo in").stdout == "in\n"


def test_through_a_program_that_the_caller_names(server: Sshd, tmp_path: Path) -> None:
    (tmp_path / "relay.py").write_text(RELAY)
    (tmp_path / "config").write_text("Host *\n ProxyCommand false\n ProxyJump nobody.invalid\n")
    command = f"{sys.executable} {tmp_path}/relay.py %h %p; : 100%%"
    host = Host(server.hosts[0], proxy_command=command, **options(server, config=(str(tmp_path / "config"),)))
    assert (host.settings.jumps, str(host.settings.proxy_command)[-6:]) == ((), ": 100%")
    with pickle.loads(pickle.dumps(host)) as again:
        assert again.run("echo in").stdout == "in\n"
    with Host(server.hosts[0], proxy_command="none", **options(server, config=(str(tmp_path / "config"),))) as host:
        assert host.run("echo in").stdout == "in\n"
    with pytest.raises(ValueError, match="jump and proxy_command are both the way to the host"):
        Host("web1", jump="gate", proxy_command="relay %h %p")


def test_through_a_program_that_ends(server: Sshd, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host *\n ProxyCommand echo no way >&2; exit 7\n")
    host = Host(server.hosts[0], **options(server, config=(str(tmp_path / "config"),)))
    with host, pytest.raises(ConnectError, match="its ProxyCommand ended before the login: no way"):
        host.run("true")


# ---- the watcher -----------------------------------------------------------------------------------------------------


@pytest.fixture
def host(server: Sshd) -> Iterator[Host]:
    with Host(server.hosts[0], **options(server)) as found:
        yield found


def group(stubborn: bool = False) -> subprocess.Popen[bytes]:
    trap = "trap '' TERM; " if stubborn else ""
    return subprocess.Popen(["sh", "-c", f"{trap}sleep 1000 & sleep 1000"], start_new_session=True)


@pytest.mark.parametrize("stubborn", [False, True])
def test_the_watcher_ends_what_it_is_told(host: Host, stubborn: bool) -> None:
    process = group(stubborn)

    async def stop() -> None:
        _, watcher = await host.link.watched()
        watcher.stop(process.pid)

    engine().call(stop)
    assert process.wait(PATIENCE) in {-signal.SIGTERM, -signal.SIGKILL}


@pytest.mark.parametrize("how", ["close", "break"])
def test_the_watcher_ends_what_is_left(host: Host, how: str) -> None:
    left, ended = group(), group()

    async def tell() -> None:
        connection, watcher = await host.link.watched()
        for process in (left, ended):
            watcher.runs(process.pid)
        watcher.ended(ended.pid)
        await asyncio.sleep(0)
        if how == "break":
            connection.get_extra_info("socket")
            connection._transport.abort()  # type: ignore[union-attr]  # as when its cable is cut

    engine().call(tell)
    if how == "close":
        host.close()
    try:
        assert left.wait(PATIENCE) == -signal.SIGTERM
        assert ended.poll() is None
    finally:
        for process in (left, ended):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

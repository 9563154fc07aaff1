"""What a login is tried with, and how hosts are known: certificates, agents, and all that known_hosts may hold."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from elsewhere.errors import ConnectError, HostKeyError, Unauthorized
from elsewhere.fleet import Host
from tests.fleet.sshd import Sshd, sshd
from tests.fleet.test_link import becomes, options
from tests.require import require

APT = "apt-get install openssh-client"
PATIENCE = 20.0


def keygen(*arguments: object) -> None:
    subprocess.run(["ssh-keygen", "-q", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


def key(path: Path, passphrase: str = "") -> Path:
    keygen("-t", "ed25519", "-N", passphrase, "-f", path)
    return path


@contextlib.contextmanager
def agent(path: Path, *keys: Path) -> Iterator[str]:
    """A real one that holds these keys; the path of its socket."""
    program = require(program="ssh-agent", install=APT)
    process = subprocess.Popen([program, "-D", "-a", str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        becomes(path.exists)
        environment = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        for each in keys:
            subprocess.run(["ssh-add", "-q", str(each)], env=environment, check=True)
        yield str(path)
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
def held(tmp_path: Path, server: Sshd) -> Iterator[str]:
    """An agent with the server's key, and two that it does not know."""
    mine = tmp_path / "mine"
    shutil.copy(server.key, mine)
    mine.chmod(0o600)
    with agent(tmp_path / "agent", key(tmp_path / "one"), key(tmp_path / "two"), mine) as found:
        yield found


# ---- agents ----------------------------------------------------------------------------------------------------------


def test_an_agent_has_the_key(server: Sshd, held: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Host(server.hosts[0], **options(server, keys=None, agent=held)) as host:
        assert host.run("echo ${SSH_AUTH_SOCK-none}").stdout == "none\n"


def test_an_agent_opens_a_key_that_is_encrypted_here(server: Sshd, held: str, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    shutil.copy(server.key, locked)
    locked.chmod(0o600)
    keygen("-p", "-P", "", "-N", "sesame", "-f", locked)
    with Host(server.hosts[0], **options(server, keys=(str(locked),), agent=held)) as host:
        assert host.run("echo in").stdout == "in\n"


def test_of_an_agent_only_the_named_keys_are_tried(server: Sshd, held: str, tmp_path: Path) -> None:
    host = Host(server.hosts[0], **options(server, keys=(str(tmp_path / "one.pub"),), agent=held))
    with host, pytest.raises(Unauthorized, match="with any key that was offered"):
        host.run("true")


def test_the_agent_is_lent_where_that_was_asked_for(server: Sshd, held: str) -> None:
    with Host(server.hosts[0], **options(server, agent=held, forward_agent=True)) as host:
        assert len(host.run("ssh-add -l").stdout.splitlines()) == 3


def test_there_is_no_key_at_all(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        Host(server.hosts[0], **options(server, keys=None, agent=str(tmp_path / "nobody"))) as host,
        pytest.raises(
            Unauthorized, match=r"without a key, and there is none: .* \(the agent at .* does not answer: No such"
        ),
    ):
        host.run("true")


# ---- certificates ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sshd, Path]]:
    """An sshd with a host certificate, which believes those of an authority; its folder has the keys."""
    folder = tmp_path_factory.mktemp("certified")
    ca = key(folder / "ca")
    keygen("-s", ca, "-I", "host", "-h", "-n", "127.16.251.1", key(folder / "shown").with_suffix(".pub"))
    (folder / "sshd").mkdir()
    config = f"HostKey {folder}/shown\nHostCertificate {folder}/shown-cert.pub\nTrustedUserCAKeys {ca}.pub"
    with sshd(folder / "sshd", ["127.16.251.1"], config=config) as found:
        keygen("-s", ca, "-I", "user", "-n", found.user, key(folder / "user").with_suffix(".pub"))
        yield found, folder


def known(path: Path, text: str) -> tuple[str]:
    path.write_text(text)
    return (str(path),)


def test_certificates_of_the_user_and_of_the_host(certified: tuple[Sshd, Path], tmp_path: Path) -> None:
    server, folder = certified
    authority = (folder / "ca.pub").read_text()
    files = known(tmp_path / "known", f"@cert-authority [127.16.*]:{server.port} {authority}")
    with Host(server.hosts[0], **options(server, keys=(str(folder / "user"),), known_hosts=files)) as host:
        assert host.run("echo in").stdout == "in\n"
    shutil.copy(folder / "user", tmp_path / "bare")
    host = Host(server.hosts[0], **options(server, keys=(str(tmp_path / "bare"),), known_hosts=files))
    with host, pytest.raises(Unauthorized):
        host.run("true")


def test_a_certificate_of_an_authority_that_is_not_believed(certified: tuple[Sshd, Path], tmp_path: Path) -> None:
    server, folder = certified
    other = key(tmp_path / "other").with_suffix(".pub").read_text()
    files = known(tmp_path / "known", f"@cert-authority * {other}")
    host = Host(server.hosts[0], **options(server, keys=(str(folder / "user"),), known_hosts=files))
    with host, pytest.raises(ConnectError, match="is not believed: Host CA key is not trusted") as caught:
        host.run("true")
    assert caught.value.phase == "host key"


# ---- known_hosts -----------------------------------------------------------------------------------------------------


def shown(server: Sshd) -> str:
    return (server.key.parent / "host_key.pub").read_text().strip()


def test_names_that_are_hashed(server: Sshd, tmp_path: Path) -> None:
    shutil.copy(server.known_hosts, tmp_path / "known")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", tmp_path / "known"], check=True, capture_output=True)
    assert server.hosts[0] not in (tmp_path / "known").read_text()
    with Host(server.hosts[0], **options(server, known_hosts=(str(tmp_path / "known"),))) as host:
        assert host.run("echo in").stdout == "in\n"


def test_names_with_stars(server: Sshd, tmp_path: Path) -> None:
    pattern = f"[127.0.*]:{server.port},![{server.hosts[1]}]:{server.port}"
    files = known(tmp_path / "known", f"{pattern} {shown(server)}\n")
    with Host(server.hosts[0], **options(server, known_hosts=files)) as host:
        assert host.run("echo in").stdout == "in\n"
    with Host(server.hosts[1], **options(server, known_hosts=files)) as host, pytest.raises(HostKeyError):
        host.run("true")


@pytest.mark.parametrize("policy", ["strict", "accept-new", "off"])
def test_a_key_that_is_revoked(server: Sshd, tmp_path: Path, policy: str) -> None:
    text = f"{server.known_hosts.read_text()}@revoked * {shown(server)}\n"
    host = Host(server.hosts[0], **options(server, known_hosts=known(tmp_path / "k", text), host_keys=policy))
    with host, pytest.raises(ConnectError, match="revoked") as caught:
        host.run("true")
    assert caught.value.phase == "host key"

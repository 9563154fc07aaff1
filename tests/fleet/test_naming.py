"""How a host is reached: what was given, the inventory, ~/.ssh/config, the defaults; which hosts are chosen."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from elsewhere.errors import HostKeyError
from elsewhere.fleet.naming import known
from elsewhere.fleet.naming.inventory import choose, read
from elsewhere.fleet.naming.settings import Given, resolve
from elsewhere.sansio.hosts.inventory import Entry
from elsewhere.sansio.hosts.names import Spec

CONFIG = """
Host web*
    HostName %h.example.com
    User deploy
    Port 2222
    IdentityFile ~/.ssh/web_%r
    ConnectTimeout 3
    ProxyJump gate,inner
Host gate
    HostName gate.example.com
    StrictHostKeyChecking accept-new
Host inner
    ProxyJump gate
Host db
    HostKeyAlias data
    UserKnownHostsFile {folder}/known ~/second
    StrictHostKeyChecking no
    ServerAliveInterval 5
    ForwardAgent yes
    IdentityAgent none
Match host circle
    ProxyJump circle
"""


@pytest.fixture
def config(tmp_path: Path) -> tuple[str, ...]:
    path = tmp_path / "config"
    path.write_text(CONFIG.format(folder=tmp_path))
    return (str(path), str(tmp_path / "missing"))


def test_the_configuration_of_ssh_counts(config, tmp_path):
    found = resolve(Spec.parse("web1"), Given(config=config))
    assert (found.hostname, found.user, found.port) == ("web1.example.com", "deploy", 2222)
    assert found.keys == (os.path.expanduser("~/.ssh/web_deploy"),)
    assert found.connect_timeout == 3
    assert found.address == "ssh://deploy@web1.example.com:2222"
    assert [jump.hostname for jump in found.jumps] == ["gate.example.com", "inner"]
    assert found.jumps[0].policy == "accept-new"
    db = resolve(Spec.parse("db"), Given(config=config))
    assert (db.alias, db.policy, db.keepalive, db.forward_agent, db.agent) == ("data", "off", 5, True, None)
    assert db.known_hosts[:2] == (f"{tmp_path}/known", os.path.expanduser("~/second"))


def test_what_was_said_goes_before(config):
    given = Given(config=config, user="me", port=1, keys=("~/k",), jump="none", connect_timeout=7, host_keys="strict")
    entry = Entry("web1", "10.0.0.1", 99, "inventory", "/k/inventory")
    found = resolve(Spec.parse("root@web1:5"), given, entry)
    assert (found.user, found.port, found.keys) == ("root", 5, (os.path.expanduser("~/k"),))
    assert found.jumps == ()
    found = resolve(Spec.parse("web1"), given, entry)
    assert (found.user, found.port, found.connect_timeout) == ("me", 1, 7)
    found = resolve(Spec.parse("other"), Given(config=config), entry)
    assert (found.hostname, found.user, found.port, found.keys) == ("10.0.0.1", "inventory", 99, ("/k/inventory",))


def test_defaults(monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    found = resolve(Spec.parse("web1"), Given(config=()))
    assert (found.hostname, found.port, found.policy, found.agent) == ("web1", 22, "strict", "/agent")
    assert found.known_hosts[0] == os.path.expanduser("~/.ssh/known_hosts")
    assert resolve(Spec.parse("web1"), Given(config=(), agent=False)).agent is None


def test_secrets_do_not_show():
    found = resolve(Spec.parse("web1"), Given(config=(), password="hush1", passphrase="hush2"))
    assert found.password == "hush1"
    assert "hush" not in f"{found!r}{Given(password='hush1')!r}"


def test_a_circle_of_jumps_ends(config):
    with pytest.raises(ValueError, match="leads in a circle"):
        resolve(Spec.parse("circle"), Given(config=config))


@pytest.mark.parametrize("line", ["Port http", "StrictHostKeyChecking maybe", "Host 'x"])
def test_a_configuration_that_cannot_be_understood(tmp_path, line):
    (tmp_path / "config").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"config line 1|StrictHostKeyChecking is yes"):
        resolve(Spec.parse("web1"), Given(config=(str(tmp_path / "config"),)))


# ---- keys ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    import asyncssh

    folder = tmp_path_factory.mktemp("keys")
    for name in ("one", "two"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    return [asyncssh.read_public_key(str(folder / f"{name}.pub")) for name in ("one", "two")]


def settings(tmp_path, name="web1:2222"):
    return resolve(Spec.parse(name), Given(config=(), known_hosts=(str(tmp_path / "ssh" / "known"),)))


@pytest.mark.parametrize("name", ["web1", "web1:2222", "::1"])
def test_a_key_is_known_from_then_on(tmp_path, keys, name):
    to = settings(tmp_path, name)
    assert known.keys_of(to).trusted == ()
    known.added(to, known.Shown.of(keys[0]))
    assert known.keys_of(to).trusted == (keys[0],)
    path = tmp_path / "ssh" / "known"
    assert path.stat().st_mode & 0o777 == 0o600
    found = subprocess.run(
        ["ssh-keygen", "-F", known._named(to), "-f", str(path)], capture_output=True, text=True, check=True
    )
    assert known.Shown.of(keys[0]).line in found.stdout


def test_lines_of_many_threads_are_whole(tmp_path, keys):
    to = settings(tmp_path)
    (tmp_path / "ssh").mkdir()
    (tmp_path / "ssh" / "known").write_text("# no end of line")
    shown = known.Shown.of(keys[0])
    threads = [threading.Thread(target=known.added, args=(to, shown)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / "ssh" / "known").read_text().splitlines()
    assert [line for line in lines if line] == ["# no end of line", *[f"[web1]:2222 {shown.line}"] * 16]


def test_hashed_names_and_revoked_keys(tmp_path, keys):
    to = settings(tmp_path)
    known.added(to, known.Shown.of(keys[0]))
    path = tmp_path / "ssh" / "known"
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    assert "web1" not in path.read_text()
    assert known.keys_of(to).trusted == (keys[0],)
    with path.open("a") as file:
        file.write(f"@revoked * {known.Shown.of(keys[1]).line}\n")
    assert known.keys_of(to).revoked == (keys[1],)


def test_an_unknown_key_and_a_changed_one_are_told_apart(tmp_path, keys):
    to = settings(tmp_path)
    shown = known.Shown.of(keys[1])
    error = known.untrusted(to, known.keys_of(to), shown)
    assert (error.changed, error.fingerprint, error.phase) == (False, shown.fingerprint, "host key")
    assert f"the ed25519 key of web1, port 2222 is not known: {shown.fingerprint}" in str(error)
    known.added(to, known.Shown.of(keys[0]))
    error = known.untrusted(to, known.keys_of(to), shown)
    assert error.changed
    assert "ssh-keygen -R '[web1]:2222'" in str(error)


def test_many_unknown_keys_are_one_message(tmp_path, keys):
    to = settings(tmp_path)
    errors: dict[str, HostKeyError] = {
        name: known.untrusted(to, known.keys_of(to), known.Shown.of(key))
        for name, key in zip(("a", "bb"), keys, strict=True)
    }
    text = known.table(errors)
    assert text.startswith("2 hosts show keys that are not known:\n  a   ed25519  SHA256:")
    assert len(text.splitlines()) == 4


def test_a_broken_file_says_so(tmp_path):
    to = settings(tmp_path)
    (tmp_path / "ssh").mkdir()
    (tmp_path / "ssh" / "known").write_text("one-word\n")
    with pytest.raises(ValueError, match="known: line 1: Invalid known hosts entry"):
        known.keys_of(to)


# ---- which hosts -----------------------------------------------------------------------------------------------------


@pytest.fixture
def inventory(tmp_path):
    path = tmp_path / "hosts.ini"
    path.write_text("[web]\nweb[1:3] ansible_user=deploy\n[db]\ndb1\n")
    return read(str(path))


def chosen(*args, **kwargs):
    return [str(each.spec) for each in choose(*args, **kwargs)]


def test_hosts_that_are_meant(tmp_path, inventory):
    (tmp_path / "list").write_text("a1\na[2-3]  # comment\n")
    assert chosen(["b1,b[2-3]", f"@{tmp_path}/list"], exclude=["a2"]) == ["b1", "b2", "b3", "a1", "a3"]
    assert chosen([], ["web"], ["web2"], inventory) == ["web1", "web3"]
    assert chosen([], [], ["web"], inventory) == ["db1"]
    assert chosen(["web1", "db1"], ["web,db"], [], inventory) == ["web1", "db1", "web2", "web3"]
    assert choose(["web1"], inventory=inventory)[0].entry == Entry("web1", user="deploy")


def test_what_cannot_be_chosen(tmp_path, inventory):
    with pytest.raises(ValueError, match="needs an inventory"):
        choose([], ["web"])
    with pytest.raises(ValueError, match="has no group 'wbe'"):
        choose([], ["wbe"], [], inventory)
    with pytest.raises(ValueError, match=r"nobody cannot be read: No such file"):
        choose([f"@{tmp_path}/nobody"])
    with pytest.raises(ValueError, match=r"nobody cannot be read: No such file"):
        read(f"{tmp_path}/nobody")
    with pytest.raises(ValueError, match="is a folder"):
        read(str(tmp_path))


def test_a_program_that_is_an_inventory(tmp_path):
    path = tmp_path / "inv"
    path.write_text('#!/bin/sh\n[ "$1" = --list ] || exit 9\necho \'{"web": ["w1"]}\'\n')
    path.chmod(0o755)
    assert [entry.name for entry in read(str(path)).hosts("web")] == ["w1"]
    path.write_text("#!/bin/sh\necho no network >&2\nexit 3\n")
    with pytest.raises(ValueError, match=r"inv --list ended with exit status 3: no network"):
        read(str(path))


def test_a_thousand_keys_are_added_without_reading_the_file_as_often(tmp_path, keys, monkeypatch):
    reads = []
    load = known._load
    monkeypatch.setattr(known, "_load", lambda *args: (reads.append(args), load(*args)))
    shown = known.Shown.of(keys[0])
    for number in range(1000):
        to = settings(tmp_path, f"web{number}")
        assert known.keys_of(to).trusted == ()
        known.added(to, shown)
    assert known.keys_of(settings(tmp_path, "web999")).trusted == (keys[0],)
    assert len(reads) <= 2
    with (tmp_path / "ssh" / "known").open("a") as file:  # somebody else's
        file.write(f"other {shown.line}\n")
    assert known.keys_of(settings(tmp_path, "other")).trusted == (keys[0],)

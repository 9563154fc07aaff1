"""Copies to a real host and back: what arrives, what is not sent again, what is removed, what is never seen."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere.fleet import Host
from elsewhere.fleet.files.outcome import Change, TransferError
from tests.fleet.sshd import Sshd, account, sshd
from tests.fleet.test_link import options

HARD = "a; 'b' \"c\" $(id)\n*?[d]"


@pytest.fixture(params=["shell", "sftp"])
def host(request: pytest.FixtureRequest, server: Sshd, bare: Sshd) -> Iterator[Host]:
    """Both ways of copying promise the same."""
    found = server if request.param == "shell" else bare
    with Host(found.hosts[0], **options(found)) as host:
        yield host


@pytest.fixture
def shell(server: Sshd) -> Iterator[Host]:
    with Host(server.hosts[0], **options(server)) as found:
        yield found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with all that is awkward."""
    root = tmp_path / "from" / "dist"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "plain").write_text("plain")
    (root / "plain").chmod(0o640)
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o755)
    (root / HARD).write_text("hard")
    (root / "-rf").write_text("option")
    (root / os.fsdecode(b"\xff")).write_text("no UTF-8")
    (root / "sub" / "big").write_bytes(os.urandom(1_500_000))
    (root / "sub" / "none").write_text("")
    (root / "sub" / ("l" * 120)).mkdir()
    (root / "sub" / ("l" * 120) / ("n" * 200)).write_text("long")
    (root / "up").symlink_to("sub/deep")
    (root / "sub" / "dangling").symlink_to("/nowhere/" + "x" * 150)
    (root / "tight").mkdir()
    (root / "tight" / "file").write_text("t")
    (root / "tight").chmod(0o555)
    for path in [*root.rglob("*"), root]:
        os.utime(path, ns=(10**18, 10**18 + 123_456_789), follow_symlinks=False)
    return root


def shown(root: Path, *, times: bool = True) -> dict[str, Any]:
    """All that a folder holds."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        told = path.lstat()
        kind = os.readlink(path) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
        when = int(told.st_mtime) if times and stat.S_ISREG(told.st_mode) else 0
        found[str(path.relative_to(root))] = (kind, 0 if path.is_symlink() else stat.S_IMODE(told.st_mode), when)
    return found


def test_a_tree_there_and_back(host: Host, tree: Path, tmp_path: Path) -> None:
    there, back = tmp_path / "there" / "app", tmp_path / "back"
    for to, copy in ((there, there), (f"{there}/", there / "dist")):
        sent = host.put(tree, to)
        assert shown(copy)["sub/big"] == shown(tree)["sub/big"]
        assert {key: value for key, value in shown(copy).items() if not key.startswith("dist")} == shown(tree)
        assert (sent.sent, sent.skipped, sent.bytes) == (
            11,
            0,
            sum(len(told[0]) for told in shown(tree).values() if isinstance(told[0], bytes)),
        )
        again = host.put(tree, to)
        assert (again.sent, again.skipped, again.changes) == (0, 11, ())
    got = host.get(str(there / "dist"), back)
    assert shown(back) == shown(tree)
    assert (back / "plain").stat().st_mtime_ns == (there / "dist" / "plain").stat().st_mtime_ns
    assert (got.sent, got.skipped) == (11, 0)
    assert host.get(str(there / "dist"), back).changes == ()
    assert os.listdir(tmp_path / "there") == ["app"]


def test_who_is_not_root(server: Sshd, tree: Path, tmp_path: Path) -> None:
    """Folders that their owner may not write in are filled, moved and removed all the same."""
    if os.geteuid() != 0:
        pytest.skip("only root can make accounts: run the tests as root")
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    place = tmp_path / "place"
    place.mkdir()
    name = f"ewfiles{os.getpid()}"
    with account(name, server), Host(server.hosts[0], **options(server, user=name)) as host:
        shutil.chown(place, name)
        host.put(tree, place / "copy")
        assert shown(place / "copy") == shown(tree)
        for path in ("tight", "sub", ""):
            assert int((place / "copy" / path).stat().st_mtime) == 10**9
        host.get(str(place / "copy"), tmp_path / "back")
        assert shown(tmp_path / "back") == shown(tree)
        (tree / "tight").chmod(0o755)
        shutil.rmtree(tree / "tight")
        assert host.put(tree, place / "copy", delete=True).deleted == 1
        assert shown(place / "copy") == shown(tree)
        with pytest.raises(TransferError, match="Permission denied"):
            host.put(b"x", tmp_path / "x")


@pytest.mark.parametrize("program", ["tar", "find"])
def test_a_host_with_other_programs(tree: Path, tmp_path: Path, program: str) -> None:
    """As busybox and BSD have them: SFTP does it."""
    other = tmp_path / "bin" / program
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho unknown option >&2\nexit 1\n")
    other.chmod(0o755)
    (tmp_path / "sshd").mkdir()
    path = f"SetEnv PATH={other.parent}:{os.environ['PATH']}"
    with (
        sshd(tmp_path / "sshd", ["127.13.0.3"], config=path) as found,
        Host(found.hosts[0], **options(found)) as host,
    ):
        assert host.run(f"command -v {program}").stdout == f"{other}\n"
        host.put(tree, tmp_path / "there")
        assert host.put(tree, tmp_path / "there").sent == 0
        host.get(f"{tmp_path}/th*e", tmp_path / "back")
        assert shown(tmp_path / "back") == shown(tmp_path / "there") == shown(tree)


def test_only_what_differs_is_sent(host: Host, tree: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    host.put(tree, there)
    (tree / "plain").write_text("PLAIN, and longer")
    (tree / "run").chmod(0o700)
    (tree / "sub" / "dangling").unlink()
    (tree / "sub" / "dangling").symlink_to("elsewhere")
    (tree / "new" / "er").mkdir(parents=True)
    (tree / "new" / "er" / "file").write_text("n")
    (there / "others").write_text("stays")
    done = host.put(f"{tree}/", there)
    assert {(what, path.removeprefix(f"{there}/")) for what, path in done.changes} == {
        ("send", "plain"), ("mode", "run"), ("send", "sub/dangling"), ("folder", "new"), ("folder", "new/er"),
        ("send", "new/er/file"),
    }  # fmt: skip
    assert (there / "others").read_text() == "stays"
    (there / "others").unlink()
    assert shown(there) == shown(tree)


def test_the_same_size_and_second_is_another_file(shell: Host, tmp_path: Path) -> None:
    source, there = tmp_path / "source", tmp_path / "there"
    second = (time.time_ns() // 10**9 + 100) * 10**9  # not yet over, so that the file may change in it again
    for number, text in enumerate(("one", "two")):
        source.write_text(text)
        os.utime(source, ns=(second, second + (number + 1) * 10**6))
        assert shell.put(source, there).sent == 1
        assert there.read_text() == text
    assert shell.put(source, there).sent == 0


@pytest.mark.parametrize("way", ["put", "get"])
def test_a_mirror(host: Host, tree: Path, tmp_path: Path, way: str) -> None:
    copy, copies = tmp_path / "copy", getattr(host, way)
    copies(str(tree), str(copy))
    (copy / "tight").chmod(0o755)
    (copy / "surplus" / "in").mkdir(parents=True)
    (copy / "surplus" / HARD).write_text("s")
    (copy / "sub" / "surplus").symlink_to(tree)
    (copy / "sub" / "none").unlink()
    (copy / "sub" / "none").mkdir()  # in the way of a file
    (copy / "sub" / "none" / "x").write_text("x")
    before = shown(copy)
    would = copies(str(tree), str(copy), delete=True, dry_run=True)
    assert shown(copy) == before
    with pytest.raises(TransferError, match="sub/none is a folder there"):
        copies(str(tree), str(copy))
    assert shown(copy) == before
    done = copies(str(tree), str(copy), delete=True)
    assert done.changes == would.changes
    assert Change("delete", f"{copy}/surplus") in done.changes
    assert shown(copy) == shown(tree)
    assert len(shown(tree)) > 10


@pytest.mark.parametrize("way", ["put", "get"])
def test_links_at_the_place_are_replaced_and_not_followed(host: Host, tree: Path, tmp_path: Path, way: str) -> None:
    copy, outside = tmp_path / "copy", tmp_path / "outside"
    outside.mkdir()
    (outside / "big").write_text("outside")
    copy.mkdir()
    (copy / "sub").symlink_to(outside)
    (copy / "plain").symlink_to(outside / "big")
    (copy / "run").symlink_to(outside)
    getattr(host, way)(f"{tree}/", str(copy), delete=True)
    assert shown(copy) == shown(tree)
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"big": "outside"}


@pytest.mark.parametrize("way", ["put", "get"])
def test_contents_are_compared(host: Host, tree: Path, tmp_path: Path, way: str) -> None:
    copy, copies = tmp_path / "copy", getattr(host, way)
    copies(str(tree), str(copy))
    (copy / "plain").write_text("PLAIN")
    os.utime(copy / "plain", ns=(10**18, 10**18 + 123_456_789))
    os.utime(copy / "run", ns=(10**18, 10**18))
    assert copies(str(tree), str(copy), dry_run=True).sent == 0
    done = copies(str(tree), str(copy), checksum=True)
    assert {path for _, path in done.changes} <= {f"{copy}/plain", f"{copy}/{HARD}"}  # sums tell no name with a newline
    assert (copy / "plain").read_text() == "plain"


def test_more_at_once_than_sshd_has_sessions_for(host: Host, tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    host.put(tree, copy)
    futures = [host.put_async(tree, copy, checksum=True, dry_run=True) for _ in range(15)]
    assert {future.result(60).sent for future in futures} <= {0, 1}


def test_what_a_file_like_object_would_get(host: Host, tree: Path) -> None:
    sink = io.BytesIO()
    would = host.get(str(tree / "sub" / "big"), sink, dry_run=True)
    assert (would.bytes, would.dry_run, sink.getvalue()) == (1_500_000, True, b"")


def test_several_and_patterns(host: Host, tree: Path, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    host.put([f"{tree}/*n", tree / "sub", tree / HARD], there)
    assert sorted(os.listdir(there)) == sorted(["plain", "run", "sub", HARD])
    host.get([f"{there}/[!a]*n", str(there / HARD)], back)
    assert sorted(os.listdir(back)) == sorted(["plain", "run", HARD])
    assert (back / HARD).read_text() == "hard"


def test_bytes_and_file_like_objects(host: Host, tmp_path: Path) -> None:
    there = tmp_path / "there"
    host.put(b"bytes", there)
    assert (there.read_bytes(), stat.S_IMODE(there.stat().st_mode)) == (b"bytes", 0o644)
    assert (host.put(b"BYTES", there).sent, there.read_bytes()) == (1, b"BYTES")
    assert host.put(b"BYTES", there, checksum=True).sent == 0
    there.chmod(0o600)
    large = os.urandom(9_000_000)
    assert host.put(io.BytesIO(large), there).bytes == len(large)
    assert (there.read_bytes() == large, stat.S_IMODE(there.stat().st_mode)) == (True, 0o600)
    host.put(b"x", there, mode=0o755)
    assert stat.S_IMODE(there.stat().st_mode) == 0o755
    sink = io.BytesIO()
    assert (host.get(str(there), sink).bytes, sink.getvalue()) == (1, b"x")
    with pytest.raises(TransferError, match="is a folder, and what has no name"):
        host.put(b"x", tmp_path)
    with pytest.raises(TransferError, match=r"is a folder"):
        host.get(str(tmp_path), io.BytesIO())
    there.unlink()
    there.symlink_to("/nowhere")
    host.put(b"x", there)  # in place of the link, and not with its mode
    assert (there.is_symlink(), stat.S_IMODE(there.stat().st_mode)) == (False, 0o644)
    with pytest.raises(FileNotFoundError, match="there is no /nope"):
        host.get("/nope", io.BytesIO())


def test_the_home_there(host: Host, tmp_path: Path) -> None:
    name = f"elsewhere-{os.getpid()}"
    home = Path.home()
    try:
        host.put(b"home", f"~/{name}")
        assert (home / name).read_bytes() == b"home"
        host.get(name, tmp_path)
        host.get(f"~/{name[:-1]}?", tmp_path / "again")
        assert (tmp_path / name).read_bytes() == (tmp_path / "again").read_bytes() == b"home"
    finally:
        (home / name).unlink(missing_ok=True)


def test_what_is_missing_is_said_before_anything_is_copied(host: Host, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    with pytest.raises(FileNotFoundError, match=r"nope' is not there here; .*no\*' matches nothing here"):
        Host("nobody.invalid", config=()).put([tmp_path / "nope", tmp_path / "there", tmp_path / "no*"], "x")
    with pytest.raises(FileNotFoundError, match=r"there is no /nope, no /no\*e"):
        host.get(["/nope", str(tmp_path / "there"), "/no*e"], tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "says"),
    [
        ((7, "x"), {}, TypeError, "sources are paths"),
        (([], "x"), {}, ValueError, "nothing to copy"),
        ((b"x", "there/"), {}, ValueError, "needs the name of a file"),
        ((io.StringIO("x"), "there"), {}, TypeError, "open it with 'rb'"),
        (("/etc/hosts", "x"), {"delete": True}, ValueError, "no source is a folder"),
        (("/etc/hosts", "x"), {"mode": "644"}, TypeError, "mode is a number such as 0o644"),
        (("/etc/hosts", "x"), {"mode": 0o17777}, ValueError, "from 0 to 0o7777"),
        (("/etc/hosts", "x"), {"timeout": 0}, ValueError, "more than 0 seconds"),
        (("/etc/hosts", "x\0"), {}, ValueError, "no NUL"),
        (("/etc/hosts/", "x"), {}, (ValueError, FileNotFoundError), "hosts/"),
        (("/dev/null", "x"), {}, ValueError, "neither a file nor a folder"),
    ],
)
def test_what_is_wrong_is_said_before_anybody_connects(arguments: Any, options: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        Host("nobody.invalid", config=()).put(*arguments, **options)


def test_what_the_far_side_refuses(host: Host, tmp_path: Path, tree: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(TransferError, match=r"is not a folder, and the copy goes into it"):
        host.put(f"{tree}/", tmp_path / "file")
    with pytest.raises(
        TransferError, match=r"could not be made: mkdir: cannot create directory|/proc/nowhere: No such"
    ):
        host.put(tree, "/proc/nowhere/x")
    with pytest.raises(TransferError, match="no source is a folder"):
        host.get(str(tree / "plain"), tmp_path / "x", delete=True)
    for to in (tmp_path / "file", tmp_path / "file" / "inner"):
        with pytest.raises(NotADirectoryError, match="file is not a folder"):
            host.get(f"{tree}/", to)
    assert (tmp_path / "file").read_text() == "x"


def test_what_a_killed_one_has_left_is_removed(shell: Host, tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    name = subprocess.run(["uname", "-n"], capture_output=True, text=True, check=True).stdout
    left = tmp_path / f".elsewhere-{dead.pid}-0123456789abcdef"
    lives = tmp_path / f".elsewhere-{os.getpid()}-0123456789abcdef"
    for folder in (left, lives):
        folder.mkdir()
        (folder / ".host").write_text(name)
    shell.put(b"x", tmp_path / "x")
    assert [path.exists() for path in (left, lives)] == [False, True]
    left.mkdir()
    (left / ".host").write_text(name)
    shell.get(str(tmp_path / "x"), tmp_path / "y")
    assert [path.exists() for path in (left, lives)] == [False, True]

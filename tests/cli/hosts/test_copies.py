"""``elsewhere put`` and ``elsewhere get`` as their users run them, with a real sshd."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from elsewhere.cli.hosts.doing.telling import size
from tests.cli.helpers import until
from tests.cli.hosts.helpers import Here, Home, rows_of


@pytest.fixture
def dist(home: Home) -> Path:
    folder = home.work / "dist"
    (folder / "css").mkdir(parents=True)
    (folder / "a b").write_text("a\n")
    (folder / "css" / "b").write_text("b\n")
    (folder / "css" / "b").chmod(0o751)
    (folder / "link").symlink_to("css/b")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


class TestPut:
    def test_a_folder_again_and_mirrored(self, home: Home, here: Here, dist: Path) -> None:
        there = home.path / "srv" / "app"
        done = here("put", "-H", "web1", "dist/", f"{there}")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("3 files copied, 4 bytes; in ")
        assert names(there) == names(dist)
        assert (there / "css" / "b").stat().st_mode & 0o777 == 0o751
        (dist / "a b").unlink()
        done = here("put", "-H", "web1", "--delete", "dist/", f"{there}/")
        assert done.stdout.startswith("0 of 2 files copied, 0 bytes; 1 deleted; in ")
        assert names(there) == names(dist)

    def test_to_several_of_which_one_is_not_there(self, home: Home, here: Here, dist: Path) -> None:
        done = here("put", "-q", "--json", "-H", "web1,none5", "dist/css/b", f"{home.path}/new")
        found = rows_of(done.stdout)
        assert done.returncode == 1
        assert (found["web1"]["ok"], found["web1"]["sent"], found["none5"]["ok"]) == (True, 1, False)
        assert "put failed on 1 of 2 hosts" in done.stderr
        assert (home.path / "new").read_text() == "b\n"

    def test_stdin(self, home: Home) -> None:
        to = home.path / "motd"
        assert home.shell("put", "-H", "web1", "--mode", "600", "-", f"{to}", stdin=b"\0hi\xff").returncode == 0
        assert (to.read_bytes(), to.stat().st_mode & 0o777) == (b"\0hi\xff", 0o600)

    def test_not_reached(self, here: Here, dist: Path) -> None:
        done = here("put", "-q", "-H", "none5", "dist/", "/srv/")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (255, "", 1)

    def test_ctrl_c_leaves_no_half_file(self, home: Home) -> None:
        there = home.path / "there"
        there.mkdir()
        with open(home.work / "huge", "wb") as file:
            file.truncate(3 << 30)  # a hole, which is sent as zeros: more than a second's work
        with home.started("put", "-q", "-H", "web1", "huge", f"{there}/") as started:
            until(lambda: any(there.iterdir()))  # it is on its way
            os.kill(started.process.pid, signal.SIGINT)
            assert (started.end(), started.said) == (130, b"")
        assert not (there / "huge").exists()


class TestGet:
    def test_from_several_into_folders_of_their_own(self, home: Home, here: Here, dist: Path) -> None:
        done = here("get", "-H", "web[1-2]", "-q", f"{dist}/css/b", "got")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert names(home.work / "got") == ["web1", "web1/b", "web2", "web2/b"]

    def test_from_one(self, home: Home, dist: Path) -> None:
        assert home.shell("get", "-H", "web1", f"{dist}/", "copy").returncode == 0
        assert names(home.work / "copy") == names(dist)
        done = home.shell("get", "-H", "web1", f"{dist}/css/b", "-")
        assert (done.returncode, done.stdout, done.stderr) == (0, "b\n", "")

    def test_what_is_not_there(self, here: Here) -> None:
        done = here("get", "-q", "-H", "web1", "/nowhere/at/all", "got")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "elsewhere: web1: there is no /nowhere/at/all.\n"

    def test_a_killed_get_is_gone_on_with(self, home: Home, here: Here, dist: Path) -> None:
        rows = home.work / "rows"
        assert here("get", "-H", "web1", "-o", "rows", f"{dist}/", "got").returncode == 0
        done = here("get", "-H", "web[1-2]", "-o", "rows", "--resume", f"{dist}/", "got")
        assert done.returncode == 0
        assert "1 of 2 hosts have a row, 1 to go." in done.stderr
        assert sorted(rows_of(rows.read_text())) == ["web1", "web2"]
        assert names(home.work / "got" / "web2") == names(dist)


def test_sizes() -> None:
    assert [size(number) for number in (0, 1, 999, 1000, 12_345, 999_949, 999_950, 3_210_000_000)] == [
        "0 bytes", "1 byte", "999 bytes", "1.0 kB", "12.3 kB", "999.9 kB", "1.0 MB", "3.2 GB",
    ]  # fmt: skip

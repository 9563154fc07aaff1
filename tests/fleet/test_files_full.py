"""A disk that is full, there and here: the copy is an error that says where, and the old file is as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.require import ROOT, require

# The disk is a small one in a view of the file system of its own, which the server has, too.
PROGRAM = """
import os, subprocess, sys
from pathlib import Path
from elsewhere.fleet import Host, TransferError
from tests.fleet.sshd import sshd

folder, config = Path(sys.argv[1]), sys.argv[2]
full = folder / "full"
for each in (full, folder / "sshd"):
    each.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", full], check=True)
place = full / "file"
place.write_text("old")
large = folder / "large"
large.write_bytes(bytes(2_000_000))


def unchanged(error, says):
    assert any(said in str(error) for said in ["No space left on device", says]), error
    assert str(place) in str(error), error
    assert os.listdir(full) == ["file"]
    assert place.read_text() == "old"


with sshd(folder / "sshd", ["127.65.0.9"], config=config) as server:
    reach = {"port": server.port, "user": server.user, "keys": server.key, "known_hosts": server.known_hosts}
    with Host(server.hosts[0], config=(), agent=False, **reach) as host:
        try:
            host.put(large, place)
        except TransferError as error:
            unchanged(error, "Failure")  # all that SFTP says of it
        else:
            raise AssertionError("it was put")
        try:
            host.get(str(large), place)
        except OSError as error:
            assert error.filename == str(place)
            unchanged(error, "No space left on device")
        else:
            raise AssertionError("it was got")
        host.put(b"new", place)
        assert place.read_text() == "new"
print("done")
"""
LINES = {"shell": "", "sftp": "ForceCommand internal-sftp"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("way", LINES)
def test_there_and_here(tmp_path: Path, way: str) -> None:
    unshare = require(program="unshare", install="apt-get install util-linux")
    done = subprocess.run(
        [unshare, "-m", sys.executable, "-c", PROGRAM, str(tmp_path), LINES[way]],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr

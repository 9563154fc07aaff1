"""Where copies really go, both ways: as the table says that rsync has tested."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from elsewhere.fleet import Host
from tests.fleet.sshd import Sshd
from tests.fleet.test_link import options
from tests.sansio.test_host_slashes import TABLE

ROWS = [row for row in TABLE if row[1].strip("~/") not in {"", "."}]


@pytest.mark.parametrize("way", ["put", "get"])
def test_the_table(server: Sshd, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(ROWS) > 10
    with Host(server.hosts[1], **options(server)) as host:
        for number, (source, to, there, copy) in enumerate(ROWS):
            folder = tmp_path / str(number)
            (folder / "dist").mkdir(parents=True)
            (folder / "x").mkdir()
            for name in ("dist/inner", "a.txt", "x/a.txt"):
                (folder / name).write_text(name)
            if there or (to.startswith("app/") and to.strip("/") != "app"):
                (folder / "app").mkdir()
            before = {path for path in folder.rglob("*") if path.is_file()}
            # Both sides are this machine: on each, relative paths begin in that folder.
            monkeypatch.chdir(folder)
            with host.cd(str(folder)):
                getattr(host, way)(source, to)
            made = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {
                str(path.relative_to(folder)) for path in before
            }
            assert made == {os.path.normpath(f"{copy}/inner" if "dist" in source else copy)}, (source, to, there)


@pytest.mark.parametrize("way", ["put", "get"])
def test_several_go_into_a_folder(server: Sshd, tmp_path: Path, way: str) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
    with Host(server.hosts[1], **options(server)) as host:
        sources = [f"{tmp_path}/one/", f"{tmp_path}/two", f"{tmp_path}/three/*"]
        getattr(host, way)(sources, str(tmp_path / "copy"))
        found = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*")}
        assert found == {"one", "two", "two/two", "three"}
        with pytest.raises((ValueError, OSError), match="would both become 'one'"):
            getattr(host, way)([f"{tmp_path}/one/", f"{tmp_path}/copy/one"], str(tmp_path / "copy2"))
    assert not (tmp_path / "copy2").exists()

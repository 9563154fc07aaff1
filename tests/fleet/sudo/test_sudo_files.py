"""Copies under sudo: to where only another user may write, and from where only that one may read."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from elsewhere.errors import Unauthorized
from elsewhere.fleet.files.outcome import TransferError
from tests.fleet.sudo.conftest import RIGHT, On


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that only root may enter."""
    path = tmp_path / "closed"
    path.mkdir(mode=0o700)
    for above in path.parents[:-2]:
        above.chmod(0o755)
    return path


@pytest.mark.parametrize(("login", "password"), [("free", None), ("asks", RIGHT), ("tty", None)])
def test_a_tree_there_and_back(on: On, closed: Path, tmp_path: Path, login: str, password: str | None) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "large").write_bytes(os.urandom(3_000_000))
    (source / "small").write_text("small")
    (source / "small").chmod(0o640)
    host = on(login)
    assert host.put(source, closed / "copy", sudo=True, password=password).sent == 2
    copy = closed / "copy"
    assert (copy / "sub" / "large").read_bytes() == (source / "sub" / "large").read_bytes()
    assert ((copy / "small").stat().st_uid, stat.S_IMODE((copy / "small").stat().st_mode)) == (0, 0o640)
    assert host.put(source, closed / "copy", sudo=True, password=password, checksum=True).skipped == 2
    back = tmp_path / "back"
    assert host.get(f"{closed}/co*", back, sudo=True, password=password).sent == 2
    assert (back / "sub" / "large").read_bytes() == (source / "sub" / "large").read_bytes()
    sink = io.BytesIO()
    host.get(str(copy / "small"), sink, sudo=True, password=password)
    assert sink.getvalue() == b"small"
    assert os.listdir(closed) == ["copy"]


def test_without_sudo_it_may_not(on: On, closed: Path) -> None:
    with pytest.raises(TransferError, match=r"may not be entered|Permission denied"):
        on("free").put(b"x", closed / "x")
    with pytest.raises(Unauthorized, match="does not allow"):
        on("none").put(b"x", closed / "x", sudo=True, password=RIGHT)
    with pytest.raises(Unauthorized, match="does not take the password"):
        on("asks").put(b"x", closed / "x", sudo=True, password="wrong")
    with pytest.raises(ValueError, match="a password is for sudo"):
        on("free").put(b"x", closed / "x", password=RIGHT)
    assert os.listdir(closed) == []

"""A host that sends another archive than it was asked for: nothing is written outside of the place."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from elsewhere.errors import ProtocolError
from elsewhere.fleet.files.here.staging import Stage
from elsewhere.fleet.files.here.unpacking import Unpacking
from elsewhere.sansio.hosts.copies.plan import Plan
from elsewhere.sansio.hosts.copies.tree import Entry

ASKED = {
    "/srv/a": Entry("a", "file", 0o640, 3, 7 * 10**9),
    "/srv/sub/b": Entry("sub/b", "file", 0o600, 3, 7 * 10**9),
}


def archive(*members: tuple[str, dict[str, Any], bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as made:
        for name, more, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            for key, value in more.items():
                setattr(member, key, value)
            made.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def unpack(place: Path, stream: bytes) -> Unpacking:
    todo = Plan(folders=[Entry("sub", "folder", 0o755)], send=list(ASKED.values()))
    with Stage(str(place), todo, whole=False) as stage:
        unpacking = Unpacking(stage, ASKED)
        try:
            for at in range(0, len(stream), 700):
                unpacking.feed(stream[at : at + 700])
            if not unpacking.left:
                stage.place()
        finally:
            unpacking.close()
    return unpacking


def test_what_was_asked_for(tmp_path: Path) -> None:
    more = {"mode": 0o777, "mtime": 9}
    unpacking = unpack(tmp_path, archive(("/srv/a", more, b"aaa"), ("/srv/sub/b", more, b"b" * 2000)))
    assert (unpacking.left, unpacking.ended) == ({}, True)
    assert (tmp_path / "a").read_bytes() == b"aaa"
    assert (tmp_path / "sub" / "b").read_bytes() == b"b" * 2000
    told = (tmp_path / "a").stat()
    assert (told.st_mode & 0o7777, told.st_mtime) == (0o640, 9)
    assert sorted(os.listdir(tmp_path)) == ["a", "sub"]


def test_two_names_of_one_file(tmp_path: Path) -> None:
    unpack(
        tmp_path, archive(("/srv/a", {}, b"aaa"), ("/srv/sub/b", {"type": tarfile.LNKTYPE, "linkname": "/srv/a"}, b""))
    )
    assert (tmp_path / "sub" / "b").read_bytes() == b"aaa"
    assert (tmp_path / "a").stat().st_nlink == 1


@pytest.mark.parametrize(
    "member",
    [
        ("../evil", {}, b"x"),
        ("/srv/../../evil", {}, b"x"),
        ("/etc/passwd", {}, b"x"),
        ("/srv/a", {"type": tarfile.SYMTYPE, "linkname": "/etc"}, b""),
        ("/srv/a", {"type": tarfile.DIRTYPE}, b""),
        ("/srv/a", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"}, b""),
        ("/srv/a", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}, b""),
    ],
)
def test_what_was_not(tmp_path: Path, member: Any) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(ProtocolError, match="the far side sends"):
        unpack(place, archive(member))
    assert os.listdir(tmp_path) == ["place"]
    assert os.listdir(place) == []


def test_the_same_twice(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="was not asked for"):
        unpack(tmp_path, archive(("/srv/a", {}, b"one"), ("/srv/a", {}, b"two")))


def test_an_archive_that_breaks_off_is_not_put_into_its_place(tmp_path: Path) -> None:
    whole = archive(("/srv/a", {}, b"a" * 5000), ("/srv/sub/b", {}, b"bbb"))
    unpacking = unpack(tmp_path, whole[:3000])
    assert (sorted(unpacking.left), unpacking.ended) == (["/srv/sub/b"], False)
    assert os.listdir(tmp_path) == []

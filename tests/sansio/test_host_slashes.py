"""Where a copy goes. Real rsync tells what its slashes mean, wherever ours are the same."""

from __future__ import annotations

import subprocess

import pytest

from elsewhere.sansio.hosts.slashes import place
from tests.require import require

TABLE = [
    # source, to, is there a folder of that name, the copy
    ("dist/", "app", False, "app"),
    ("dist/", "app", True, "app"),
    ("dist/", "app/", False, "app"),
    ("dist/", "app/", True, "app"),
    ("dist", "app/", False, "app/dist"),
    ("dist", "app/", True, "app/dist"),
    ("dist", "app", False, "app"),
    ("dist", "app", True, "app"),
    ("dist/.", "app", False, "app"),
    ("a.txt", "app/", False, "app/a.txt"),
    ("a.txt", "app/", True, "app/a.txt"),
    ("a.txt", "app", True, "app/a.txt"),
    ("a.txt", "app", False, "app"),
    ("x/a.txt", "app/b.txt", False, "app/b.txt"),
    ("dist", "", True, "dist"),
    ("dist", ".", True, "dist"),
    ("dist", "~", True, "~/dist"),
    ("a.txt", "", True, "a.txt"),
    ("a.txt", "/", True, "/a.txt"),
    ("dist", "/", True, "/dist"),
    ("dist/", "/", True, "/"),
    ("dist/", ".", True, "."),
    ("a.txt", "app//", False, "app/a.txt"),
]
OURS = {("dist", "app", False), ("dist", "app", True)}  # the addition: rsync makes app/dist of both


@pytest.mark.parametrize(("source", "to", "there", "copy"), TABLE)
def test_the_table(source, to, there, copy):
    assert place(source, to, is_folder="dist" in source, to_is_folder=there).path == copy


@pytest.mark.parametrize(
    ("source", "to", "there", "copy"), [row for row in TABLE if row[1].strip("~/") not in {"", "."}]
)
def test_rsync_puts_it_there_too(tmp_path, source, to, there, copy):
    rsync = require(program="rsync", install="apt-get install rsync")
    if (source, to, there) in OURS:
        copy = "app/dist"
    (tmp_path / "dist").mkdir()
    (tmp_path / "x").mkdir()
    for name in ("dist/inner", "a.txt", "x/a.txt"):
        (tmp_path / name).write_text(name)
    if there or (to.startswith("app/") and to.strip("/") != "app"):
        (tmp_path / "app").mkdir()
    subprocess.run([rsync, "-r", source, to], cwd=tmp_path, check=True)
    found = tmp_path / copy
    assert (found / "inner").read_text() == "dist/inner" if "dist" in source else found.read_text().endswith("a.txt")


def test_several_go_into_a_folder():
    assert place("a", "app", is_folder=False, to_is_folder=False, several=True) == ("app/a", "app")
    assert place("dist", "app", is_folder=True, to_is_folder=False, several=True) == ("app/dist", "app")


@pytest.mark.parametrize(
    ("source", "to", "folder", "needs"),
    [("a", "x/y/b", False, "x/y"), ("dist", "x/y", True, "x/y"), ("a", "b", False, ""), ("a", "x/", False, "x")],
)
def test_which_folders_must_be_there(source, to, folder, needs):
    assert place(source, to, is_folder=folder, to_is_folder=False).folders == needs


@pytest.mark.parametrize(
    ("source", "folder", "says"),
    [("a.txt/", False, "has a slash behind it"), ("", False, "names nothing"), ("a\0", False, "no NUL")],
)
def test_what_is_no_copy(source, folder, says):
    with pytest.raises(ValueError, match=says):
        place(source, "x", is_folder=folder, to_is_folder=False)

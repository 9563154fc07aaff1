"""Copies: what differs, what is done about it, and the streams and words in which it is said."""

from __future__ import annotations

import io
import itertools
import math
import subprocess
import tarfile
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.errors import ProtocolError
from elsewhere.sansio.hosts.copies.found import Part, found, heard
from elsewhere.sansio.hosts.copies.headers import END, header, padding
from elsewhere.sansio.hosts.copies.listing import complete, entries, sections
from elsewhere.sansio.hosts.copies.members import Member, Members
from elsewhere.sansio.hosts.copies.plan import doubtful, plan, unchanged
from elsewhere.sansio.hosts.copies.tree import Entry, parent, safe, staging, within
from elsewhere.sansio.hosts.copies.words import pattern, place_script, tops, word

NONCE = "0123456789abcdef"
names = st.text(st.characters(blacklist_characters="\0/", codec="utf-8"), min_size=1, max_size=150).filter(
    lambda name: name not in {".", ".."}
)
short = st.sampled_from("abcd")
paths = st.lists(short, min_size=1, max_size=4).map("/".join)


@st.composite
def trees(draw: Any) -> dict[str, Entry]:
    """A tree that can be: each thing is in a folder that is there."""
    tree = {"": Entry("", "folder", 0o755)}
    for path in draw(st.lists(paths, max_size=12)):
        above = ""
        steps = path.split("/")
        for depth, name in enumerate(steps):
            here = f"{above}/{name}".strip("/")
            last = depth == len(steps) - 1
            kind = draw(st.sampled_from(["file", "link", "folder"])) if last else "folder"
            if tree.setdefault(here, _thing(draw, here, kind)).kind != "folder":
                break
            above = here
    return tree


def _thing(draw: Any, path: str, kind: Any) -> Entry:
    mode = draw(st.sampled_from([0o644, 0o755, 0o555]))
    if kind == "link":
        return Entry(path, kind, 0o777, target=draw(st.sampled_from(["x", "y"])))
    if kind == "folder":
        return Entry(path, kind, mode)
    return Entry(path, kind, mode, draw(st.integers(0, 3)), draw(st.integers(0, 2)) * 10**9)


def done(there: dict[str, Entry], what: Any) -> dict[str, Entry]:
    """What is there afterwards, step by step as the far side goes."""
    result = dict(there)

    def remove(path: str) -> None:
        assert path
        for each in [each for each in result if within(each, path)]:
            del result[each]

    for path in what.clear:
        remove(path)
    for entry in what.folders + what.send:
        assert not entry.path or result[parent(entry.path)].kind == "folder"
        assert entry.path not in result or result[entry.path].kind != "folder"
        result[entry.path] = entry
    for entry in what.modes:
        result[entry.path] = result[entry.path]._replace(mode=entry.mode)
    for path in what.delete:
        assert path in result
        remove(path)
    return result


@given(trees(), trees())
def test_a_mirror_becomes_the_source(source: dict[str, Entry], there: dict[str, Entry]) -> None:
    what = plan(source.values(), there, mirrored=[""])
    after = done(there, what)
    assert after.keys() == source.keys()
    for path, entry in source.items():
        assert after[path].kind == entry.kind
        assert after[path].target == entry.target
        if entry.kind == "file":
            assert unchanged(entry, after[path])
        if path and entry.kind != "link":
            assert after[path].mode == entry.mode
    assert plan(source.values(), after, mirrored=[""]).nothing


@given(trees(), trees())
def test_without_delete_nothing_else_is_removed(source: dict[str, Entry], there: dict[str, Entry]) -> None:
    try:
        what = plan(source.values(), there)
    except ValueError as error:
        path = str(error).split()[0]
        assert (there[path].kind, source[path].kind != "folder") == ("folder", True)
        return
    after = done(there, what)
    assert what.delete == []
    for path, entry in there.items():
        if path not in source:
            assert after[path] == entry
        elif entry.kind == "folder":
            assert after[path].kind == "folder"


@given(trees(), trees(), st.sampled_from(["a", "b", "a/b"]))
def test_only_what_was_named_is_mirrored(source: dict[str, Entry], there: dict[str, Entry], root: str) -> None:
    inner = {path: entry for path, entry in source.items() if within(path, root)}
    if (
        inner.get(root, Entry("", "other")).kind != "folder"
        or there.get(parent(root), Entry("", "other")).kind != "folder"
    ):
        return
    what = plan(inner.values(), there, mirrored=[root])
    assert all(within(path, root) for path in [*what.delete, *what.clear])
    after = done(there, what)
    assert {path for path in after if within(path, root)} == inner.keys()
    assert {path: after[path] for path in after if not within(path, root)} == {
        path: entry for path, entry in there.items() if not within(path, root)
    }


def test_what_only_has_another_mode_is_not_sent() -> None:
    old, new = Entry("a", "file", 0o644, 3, 7), Entry("a", "file", 0o600, 3, 7)
    what = plan([new], {"a": old})
    assert (what.send, what.modes, what.skipped) == ([], [new], 1)


def test_the_mode_of_the_place_itself_stays() -> None:
    assert plan([Entry("", "folder", 0o700)], {"": Entry("", "folder", 0o755)}).nothing


@pytest.mark.parametrize(
    ("new", "old", "same"),
    [("5", "5", True), ("5", "6", False), ("5.1", "5.2", False), ("5.1", "5", True), ("5", "5.2", True)],
)
def test_times_are_compared_as_exactly_as_both_know_them(new: str, old: str, same: bool) -> None:
    here, there = (Entry("a", "file", 0, 1, int(float(when) * 10**9)) for when in (new, old))
    assert unchanged(here, there) is same
    assert not unchanged(here, there._replace(size=2))


def test_only_files_of_one_size_may_hold_the_same() -> None:
    old = {"a": Entry("a", "file", 0, 1), "b": Entry("b", "file", 0, 2), "c": Entry("c", "link")}
    assert doubtful([Entry(name, "file", 0, 1) for name in "abcd"], old) == ["a"]


# ---- streams ---------------------------------------------------------------------------------------------------------

things = st.one_of(
    st.builds(
        lambda mode, data, when: (Entry("", "file", mode, len(data), when), data),
        st.integers(0, 0o7777), st.binary(max_size=1100), st.integers(0, 2**33 * 10**9),
    ),
    st.builds(lambda mode: (Entry("", "folder", mode), b""), st.integers(0, 0o777)),
    st.builds(lambda target: (Entry("", "link", 0o777, target=target), b""), names),
)  # fmt: skip


@given(
    st.dictionaries(st.lists(names, min_size=1, max_size=3).map("/".join), things, max_size=4), st.booleans(), st.data()
)
def test_what_is_written_is_read(made: dict[str, tuple[Entry, bytes]], exact: bool, data: Any) -> None:
    """By Python's tarfile and by our own reader, in pieces of any size."""
    stream = bytearray()
    for name, (entry, contents) in made.items():
        stream += header(name.encode(), entry, exact=exact) + contents + padding(len(contents))
    stream += END
    with tarfile.open(fileobj=io.BytesIO(stream), errors="surrogateescape", encoding="utf-8") as archive:
        theirs = archive.getmembers()
        assert [member.name.rstrip("/") for member in theirs] == list(made)
        for member, (entry, contents) in zip(theirs, made.values(), strict=True):
            assert member.mode == entry.mode
            instant = Fraction(entry.mtime if exact else entry.mtime // 10**9 * 10**9, 10**9)
            assert abs(Fraction(member.mtime) - instant) <= math.ulp(member.mtime)  # tarfile's are floats
            if entry.kind == "file":
                file = archive.extractfile(member)
                assert file is not None
                assert file.read() == contents
            if entry.kind == "link":
                assert member.linkname == entry.target
    read, ended = cut(bytes(stream), data)
    assert ended
    assert [told.name.rstrip("/") for told, _ in read] == list(made)
    for (told, came), (entry, wanted) in zip(read, made.values(), strict=True):
        assert (told.mode, bytes(came), told.target) == (entry.mode, wanted, entry.target)
        assert told.mtime == (entry.mtime if exact and entry.kind == "file" else entry.mtime // 10**9 * 10**9)


def cut(stream: bytes, data: Any) -> tuple[list[tuple[Member, bytearray]], bool]:
    """What our reader makes of it, in pieces of any size; and whether it has seen its end."""
    read: list[tuple[Member, bytearray]] = []
    machine = Members()
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6))), len(stream)]
    for begin, end in itertools.pairwise(cuts):
        for piece in machine.feed(stream[begin:end]):
            if isinstance(piece, Member):
                read.append((piece, bytearray()))
            else:
                read[-1][1].extend(piece)
    return read, machine.ended


@given(st.binary(max_size=2000))
def test_noise_is_no_archive(noise: bytes) -> None:
    machine = Members()
    try:
        found = list(machine.feed(noise))
    except ProtocolError:
        return
    assert not any(isinstance(piece, Member) for piece in found) or noise[257:262] == b"ustar"


@pytest.mark.parametrize(
    "records", [{"size": "ten"}, {"size": "-5"}, {"mtime": "noon"}, {"mtime": "9" * 5000}, {"mtime": "1." + "x" * 9}]
)
def test_records_that_say_nonsense_are_no_archive(records: dict[str, str]) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("name")
        member.pax_headers = records
        archive.addfile(member)
    with pytest.raises(ProtocolError):
        list(Members().feed(stream.getvalue()))


@pytest.mark.parametrize("kind", [b"0", b"L", b"x"])
def test_a_size_below_nothing_is_no_archive(kind: bytes) -> None:
    block = bytearray(header(b"name", Entry("", "file", 0o644, 0), exact=False))
    block[124:136], block[156:157], block[148:156] = b"\xff" * 11 + b"\xfb", kind, b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with pytest.raises(ProtocolError):
        list(Members().feed(bytes(block) + bytes(1024)))


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_other_writers_are_read(form: int) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, size in {"short": 3, "l" * 90 + "/" + "n" * 90: 600, "ö" * 40: 0}.items():
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, io.BytesIO(b"x" * size))
    machine = Members()
    read = [(piece.name, piece.size) for piece in machine.feed(stream.getvalue()) if isinstance(piece, Member)]
    assert read == [("short", 3), ("l" * 90 + "/" + "n" * 90, 600), ("ö" * 40, 0)]


# ---- what a host says ------------------------------------------------------------------------------------------------


def listed(*lines: tuple[str, str]) -> bytes:
    return "".join(f"{line}\0{target}\0" for line, target in lines).encode()


def test_a_listing() -> None:
    data = listed(
        ("d 755 4096 1700000000.5 .", ""), ("f 644 12 1700000000.1234567890 ./a b\n", ""), ("l 777 1 0.0 ./l", "t"),
        ("s 644 0 0.0 ./sock", ""), ("d 700 1 1.0 ./.elsewhere-12-0123456789abcdef", ""),
    )  # fmt: skip
    assert entries(data) == [
        Entry("", "folder", 0o755, 4096, 1_700_000_000_500_000_000),
        Entry("a b\n", "file", 0o644, 12, 1_700_000_000_123_456_789),
        Entry("l", "link", 0o777, 1, 0, "t"),
        Entry("sock", "other", 0o644, 0, 0),
    ]


@pytest.mark.parametrize("path", ["../x", "./../x", "./a/../../x", "/etc/passwd", "./a//b", "./a/./b", "..", "./a/"])
def test_no_name_leads_out_of_the_folder(path: str) -> None:
    with pytest.raises(ProtocolError, match="names a file outside"):
        entries(listed((f"f 644 1 0.0 {path}", "")))


@pytest.mark.parametrize("data", [b"f 644 1 0.0 ./a", b"f 644 1 0.0 ./a\0", b"x\0\0", b"f 9 1 0.0 ./a\0\0"])
def test_what_is_no_listing(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        entries(data)


def test_nothing_is_found_in_what_is_a_link() -> None:
    data = (f"{NONCE} folder 0 /srv/x\0".encode() + listed(("d 755 1 0.0 .", ""), ("l 777 1 0.0 ./l", "/etc"))
            + listed(("f 644 1 0.0 ./l/passwd", "")) + f"{NONCE} end - -\0".encode())  # fmt: skip
    parts = heard(data, NONCE, ["/srv/x"])
    with pytest.raises(ProtocolError, match="in what is no folder"):
        found(parts, ["/srv/x"], "to", to_is_folder=False)


def test_no_file_is_taken_for_another_than_was_asked_for() -> None:
    data = f"{NONCE} file 0 /srv/x\0".encode() + listed(("f 644 1 0.0 ./a/b", "")) + f"{NONCE} end - -\0".encode()
    with pytest.raises(ProtocolError, match="was not asked for"):
        found(heard(data, NONCE, ["/srv/x"]), ["/srv/x"], "to", to_is_folder=False)
    data = f"{NONCE} file 7 /srv/x\0{NONCE} end - -\0".encode()
    with pytest.raises(ProtocolError, match="a source that is none"):
        heard(data, NONCE, ["/srv/x"])
    for name in ("/srv/..", "..", "/"):
        with pytest.raises(ProtocolError, match="names a file that is none"):
            found([Part("file", 0, name, [])], ["/srv/*"], "to", to_is_folder=False)


def test_a_host_sets_no_bits_that_make_somebody_else_of_who_runs_a_file() -> None:
    part = Part("file", 0, "/srv/x", [Entry("x", "file", 0o6755, 1)])
    assert found([part], ["/srv/x"], "to", to_is_folder=False).entries["to"].mode == 0o755
    assert found([part], ["/srv/x"], "to", to_is_folder=False, mode=0o4755).entries["to"].mode == 0o4755


@given(st.binary(max_size=60).filter(lambda noise: NONCE.encode() not in noise), st.integers(0, 200))
def test_words_are_told_from_what_a_profile_writes(noise: bytes, cut: int) -> None:
    said = noise + f"{NONCE} here -\0".encode() + listed(("d 755 1 0.0 .", "")) + f"{NONCE} end -\0".encode()
    assert complete(said, NONCE)
    assert not complete(said[: min(cut, len(said) - 1)], NONCE)
    assert sections(said, NONCE)[0] == (["here", "-"], listed(("d 755 1 0.0 .", "")))


# ---- what sh is told -------------------------------------------------------------------------------------------------

hard = st.text(st.sampled_from("ab-*?[]!^'\"$`\\ \n;&|~.#"), min_size=1, max_size=8)


@given(st.lists(hard.filter(lambda text: text not in {".", ".."}), min_size=1, max_size=4, unique=True), hard)
def test_a_pattern_matches_what_fnmatch_says(files: list[str], wanted: str) -> None:
    """A real `sh` is asked, whether it takes a text for the pattern's match."""
    if wanted.startswith("~/"):
        return
    case = f"case $f in {pattern(wanted)}) echo 1 ;; *) echo 0 ;; esac"
    script = f"__n=$(printf '\\nx'); __n=${{__n%x}}; for f in \"$@\"; do {case}; done"
    asked = ["sh", "-c", script, "sh", *(f"./{file}" for file in files)]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(int(fnmatchcase(file, wanted))) for file in files]


@given(hard)
def test_a_path_is_one_word(path: str) -> None:
    script = f"__n=$(printf '\\nx'); __n=${{__n%x}}; HOME=/h; printf %s {word(path)}"
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    wanted = f"/h{path[1:]}" if path == "~" or path.startswith("~/") else "." if path == "." else f"./{path}"
    assert said == wanted


def test_many_files_take_few_processes() -> None:
    source = [Entry("d", "folder", 0o755), *(Entry(f"d/{n}", "file", 0o644, 1) for n in range(5000))]
    there = {"d": Entry("d", "folder", 0o755)}
    lines = place_script(plan(source, there)).splitlines()
    assert len(lines) < 10
    assert all(len(line) < 100_000 for line in lines)
    assert [entry.path for entry in tops(plan(source, {}))] == ["d"]


def test_names_of_half_made_copies() -> None:
    assert staging(".elsewhere-12-0123456789abcdef") == 12
    assert [staging(name) for name in (".elsewhere-x-0123456789abcdef", ".elsewhere-12-0", "elsewhere")] == [None] * 3
    assert [safe(path) for path in ("a", "a/b", "a/../b", "", "a//b")] == [True, True, False, False, False]

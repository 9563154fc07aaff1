"""Lines out of pieces, and text that no terminal obeys."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.sansio.hosts.many.lines import LONGEST, Lines
from elsewhere.sansio.hosts.many.plain import decoded, plain


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted(min(place, len(data)) for place in places)
    return [data[begin:end] for begin, end in zip([0, *at], [*at, len(data)], strict=True)]


def whole(pieces: list[bytes]) -> list[bytes]:
    lines = Lines()
    return [line for piece in pieces for line in lines.feed(piece)] + lines.rest()


TEXT = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b"\xc3\xa9", b"\xff", b"\t", b"\x1b[0m"])).map(
    b"".join
)


@given(data=TEXT, places=st.lists(st.integers(0, 60), max_size=8))
def test_it_does_not_matter_how_it_was_cut(data: bytes, places: list[int]) -> None:
    lines = whole(cut(data, places))
    assert lines == whole([data])
    assert not any(b"\n" in line for line in lines)
    assert b"".join(lines).replace(b"\r", b"") == data.replace(b"\n", b"").replace(b"\r", b"")


def test_ends_of_lines() -> None:
    assert whole([b"a\nb\r\nc"]) == [b"a", b"b", b"c"]
    assert whole([b"10%\r", b"20%\r", b"\n"]) == [b"10%", b"20%"]
    assert whole([b"a\n\nb\n"]) == [b"a", b"", b"b"]
    assert whole([b""]) == []
    assert whole([b"100%\r"]) == [b"100%"]
    lines = Lines()
    assert lines.feed(b"one\ntwo") == [b"one"]
    assert lines.feed(b" and a half\n") == [b"two and a half"]


@given(st.integers(1, 200_000), st.integers(0, 3))
def test_a_line_that_never_ends_is_given_out_in_pieces(size: int, shift: int) -> None:
    data = b"x" * shift + "é".encode() * (size // 2)
    lines = Lines()
    found = lines.feed(data)
    assert len(lines._held) <= LONGEST
    found += lines.rest()
    assert b"".join(found) == data
    assert all(len(line) <= LONGEST for line in found)
    for line in found:
        line.decode()  # no character is cut


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = plain(text)
    for character in shown:
        kind = unicodedata.category(character)
        assert character == "\t" or kind not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.bidirectional(character) not in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI"}
    shown.encode()
    assert plain(shown) == shown


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\x1b[31mred\x07", r"\x1b[31mred\x07"),
        (b"caf\xc3\xa9\t\xff\xc3", "café\t\\xff\\xc3"),
        (b"\xc2\x9b2J", r"\x9b2J"),
        ("\u202egpj.exe\u2066".encode(), r"\u202egpj.exe\u2066"),
        (b"[bold]not markup[/bold] :smile:", "[bold]not markup[/bold] :smile:"),
        (b"\x7f\x00", r"\x7f\x00"),
    ],
)
def test_how_it_is_shown(data: bytes, shown: str) -> None:
    assert decoded(data) == shown


def test_another_encoding() -> None:
    assert decoded(b"caf\xe9", "latin-1") == "café"

"""The index of known_hosts: whatever stands in the files, it finds what going through all lines would find."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import hmac
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.sansio.hosts.known import Index, Line, named

NAMES = ["web1", "web2", "db", "10.0.0.1", "2001:db8::1", "a.example.com", "b.example.com"]
PORTS = [22, 2222, 22000]
PATTERNS = ["*", "web?", "*.example.com", "[web1]:*", "[*]:2222", "10.0.*", "WEB1", "[*.example.com]:22000"]


def key(number: int) -> str:
    return f"ssh-ed25519 AAAA{number}"


def hashed(name: str, salt: bytes) -> str:
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


hosts = st.tuples(st.sampled_from(NAMES), st.sampled_from(PORTS))
plain = hosts.map(lambda host: named(*host))
listed = st.lists(st.one_of(plain, st.sampled_from(PATTERNS), plain.map(lambda name: f"!{name}")), min_size=1)
fields = st.one_of(
    st.tuples(st.just("list"), listed),
    st.tuples(st.just("hash"), st.tuples(plain, st.binary(min_size=20, max_size=20))),
)
lines = st.lists(st.tuples(st.sampled_from(["", "cert-authority", "revoked"]), fields))


def speaks(field: tuple[str, object], name: str) -> bool:
    """Slowly, and in another way."""
    kind, value = field
    if kind == "hash":
        return value[0].lower() == name and value[0] == value[0].lower()  # type: ignore[index]  # a name and its salt

    def fits(pattern: str) -> bool:
        return fnmatch.fnmatchcase(name, pattern.lower().replace("[", "[[]"))

    those = [pattern for pattern in value if not pattern.startswith("!")]  # type: ignore[attr-defined]  # a list
    without = [pattern[1:] for pattern in value if pattern.startswith("!")]  # type: ignore[attr-defined]  # as above
    return any(map(fits, those)) and not any(map(fits, without))


@given(lines, hosts)
def test_it_finds_what_speaks_of_a_host(lines: list[tuple[str, tuple[str, object]]], host: tuple[str, int]) -> None:
    text = "# a comment\n\n"
    for number, (marker, (kind, value)) in enumerate(lines):
        names = hashed(*value) if kind == "hash" else ",".join(value)  # type: ignore[misc, arg-type]  # as its kind says
        text += f"{'@' + marker + ' ' if marker else ''}{names} {key(number)} and a comment\n"

    def all_of(name: str) -> list[Line]:
        return [Line(marker, key(n)) for n, (marker, field) in enumerate(lines) if speaks(field, name)]

    name, port = host
    expected = all_of(named(name, port).lower())
    if port != 22 and all(line.marker == "revoked" for line in expected):
        expected = expected + all_of(name.lower())
    index = Index()
    index.add(text)
    assert index.find(name, port) == expected
    assert index.find(name.upper(), port) == expected


def test_what_is_added_later_is_found() -> None:
    index = Index()
    assert index.find("web1", 22) == []
    index.add(f"web1 {key(1)}\n")
    assert index.find("web1", 22) == [Line("", key(1))]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"web1 {key(1)}\none-word\n", "line 2: Invalid known hosts entry"),
        (f"@revokd web1 {key(1)}", "line 1: @revokd is no marker"),
        ("@revoked", "Invalid known hosts entry"),
        (f"|1|x {key(1)}", "no hash"),
        (f"|1|!!|AAAA {key(1)}", "no hash"),
        (f"|2|AAAA|AAAA {key(1)}", "a kind that is not known"),
    ],
)
def test_what_is_no_line_is_told(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Index().add(text)


def test_thousands_of_names_are_looked_up() -> None:
    index = Index()
    index.add("".join(f"host{number},10.0.{number // 250}.{number % 250} {key(number)}\n" for number in range(20_000)))
    for number in random.Random(1).sample(range(20_000), 100):
        assert index.find(f"host{number}", 22) == [Line("", key(number))]

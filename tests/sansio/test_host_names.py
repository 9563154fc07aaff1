"""Hosts as people write them."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.sansio.hosts.names import MOST, Spec, expand, split

NAMES = st.from_regex(r"[a-z0-9][a-z0-9.\-]{0,20}", fullmatch=True)
USERS = st.none() | st.from_regex(r"[a-z_][a-z0-9_\-.@]{0,8}", fullmatch=True)
PORTS = st.none() | st.integers(1, 65535)


@given(NAMES | st.ip_addresses(v=6).map(str) | st.ip_addresses(v=4).map(str), USERS, PORTS)
def test_what_a_spec_is_written_as_is_read_as_that_spec(name, user, port):
    spec = Spec(name, user, port)
    assert Spec.parse(str(spec)) == spec
    assert (
        Spec.parse(f"ssh://{spec if port or ':' not in name else f'{user}@[{name}]' if user else f'[{name}]'}") == spec
    )


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("web1", Spec("web1")),
        (" web1 ", Spec("web1")),
        ("deploy@web1:2222", Spec("web1", "deploy", 2222)),
        ("::1", Spec("::1")),
        ("root@fe80::1%eth0", Spec("fe80::1%eth0", "root")),
        ("[::1]", Spec("::1")),
        ("[::1]:22", Spec("::1", None, 22)),
        ("ssh://deploy@web1/", Spec("web1", "deploy")),
        ("me@corp@web1", Spec("web1", "me@corp")),
    ],
)
def test_forms(text, spec):
    assert Spec.parse(text) == spec


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no host"),
        ("deploy@", "names no host"),
        ("@web1", "no user before the @"),
        ("de:ploy@web1", "no user before the @: .* passwords have no place there"),
        ("-oProxyCommand=x", "begins with a hyphen"),
        ("-x@web1", "no user"),
        ("web1:", "has the port ''"),
        ("web1:0", "ports are numbers from 1 to 65535"),
        ("web1:65536", "ports are numbers from 1 to 65535"),
        ("web1:٣", "ports are numbers"),
        ("web1:ssh", "ports are numbers"),
        ("http://web1", "hosts are reached by ssh://"),
        ("web1 web2", "several hosts are written with commas"),
        ("web1/srv", "a folder there is named by put and get"),
        ("web;rm", "holds no ';'"),
        ("a:b:c", "no IPv6 address"),
        ("[::1", r"written \[2001:db8::1\]:22"),
        ("[::1]22", r"written \[2001:db8::1\]:22"),
        ("web[1-2]", r"holds no '\['"),
    ],
)
def test_what_names_no_host(text, says):
    with pytest.raises(ValueError, match=says):
        Spec.parse(text)


def test_a_host_is_a_text():
    with pytest.raises(TypeError, match="a host is a text"):
        Spec.parse(7)


@given(st.text(alphabet=string.printable, max_size=30))
def test_any_text_is_a_host_or_a_clear_error(text):
    try:
        spec = Spec.parse(text)
    except ValueError:
        return
    assert spec.name
    assert not spec.name.startswith("-")
    assert not set(spec.name) & set(" \n\t;/$`'\"|&<>")


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("web1", ["web1"]),
        ("web[01-03]", ["web01", "web02", "web03"]),
        ("web[8-11]", ["web8", "web9", "web10", "web11"]),
        ("web[1-2,7].example.com", ["web1.example.com", "web2.example.com", "web7.example.com"]),
        ("u@r[a-b]n[1:2]:22", ["u@ran1:22", "u@ran2:22", "u@rbn1:22", "u@rbn2:22"]),
        ("n[0-10/5]", ["n0", "n5", "n10"]),
        ("n[0-10:5]", ["n0", "n5", "n10"]),
        ("[::1]:22", ["[::1]:22"]),
        ("u@[fe80::1]", ["u@[fe80::1]"]),
        ("[1:2]", ["1", "2"]),
    ],
)
def test_ranges(text, hosts):
    assert expand(text) == hosts


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("web[3-1]", "ends before it begins"),
        ("web[]", "has a range that is none"),
        ("web[1-", "without its partner"),
        ("web1]", "without its partner"),
        ("web[x y]", "has a range that is none"),
        ("web[1-99999]", "more than 10,000 hosts"),
        ("web[1-200][1-200]", "more than 10,000 hosts"),
        ("web[1-99999999999999999999]", "more than 10,000 hosts"),
        ("web[٣]", "has a range that is none"),
    ],
)
def test_what_is_no_range(text, says):
    with pytest.raises(ValueError, match=says):
        expand(text)


@given(st.integers(0, 500), st.integers(0, 60), st.integers(1, 4))
def test_a_range_has_all_its_numbers_at_their_width(first, more, width):
    found = expand(f"n[{first:0{width}}-{first + more}]")
    assert [int(each[1:]) for each in found] == list(range(first, first + more + 1))
    shown = len(f"{first:0{width}}")
    assert all(len(each) - 1 == max(shown, len(str(int(each[1:])))) for each in found)


@given(st.lists(NAMES, max_size=6))
def test_commas_part_texts(names):
    assert split(",".join(names)) == names
    assert split("a[1,2],b , ,c[3,4]") == ["a[1,2]", "b", "c[3,4]"]


def test_as_many_as_are_allowed():
    assert len(expand(f"n[1-{MOST}]")) == MOST

"""Addresses: what is one, and the sentence about what is none."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.transport.address import Address

GOOD = {
    "tcp://localhost:6789": Address("tcp", "localhost", 6789),
    "tls://example.com:0": Address("tls", "example.com", 0),
    "udp://[::1]:53": Address("udp", "::1", 53),
    "unix:///run/a b.sock": Address("unix", path="/run/a b.sock"),
    "unix://@name": Address("unix", path="@name"),
    "TCP://127.0.0.1:1/": Address("tcp", "127.0.0.1", 1),
    "tcp://[fe80::1%eth0]:9": Address("tcp", "fe80::1%eth0", 9),
}
BAD = {
    "localhost:6789": "did you mean tcp://localhost:6789",
    ":6789": "did you mean tcp://localhost:6789",
    "6789": "did you mean tcp://localhost:6789",
    "localhost": "did you mean tcp://localhost:6789",
    "/run/a.sock": "did you mean unix:///run/a.sock",
    "[::1]:80": r"did you mean tcp://\[::1\]:80",
    "": "it is a URL such as tcp://localhost:6789",
    "tcp://localhost": "tcp://localhost:6789 has one",
    "tcp://localhost:port": "tcp://localhost:6789 has one",
    "tcp://::1:80": r"tcp://\[::1\]:80 has them",
    "tcp://:80": "tcp://localhost:80 is this machine",
    "tcp://localhost:65536": "numbers up to 65535",
    "tcp://localhost:1/path": "tcp://localhost:1 is an address",
    "tcp://user:hunter2@localhost:1": "holds no user or password",
    "unix://run/a.sock": "unix:///run/a.sock with three slashes",
    "unix://": "three slashes",
    "ftp://localhost:1": "tcp://, tls://, unix:// or udp://",
    f"unix:///{'x' * 120}": "107 bytes",
}


@pytest.mark.parametrize("text", GOOD)
def test_what_an_address_means(text):
    assert Address.parse(text) == GOOD[text]
    assert Address.parse(str(GOOD[text])) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_what_is_none_is_one_sentence(text):
    with pytest.raises(ValueError, match=BAD[text]) as caught:
        Address.parse(text)
    assert "hunter2" not in str(caught.value)


def test_what_is_no_text():
    with pytest.raises(TypeError, match="tcp://localhost:6789"):
        Address.parse(("localhost", 6789))


def test_a_scheme_of_no_use_here():
    with pytest.raises(ValueError, match="may begin with tcp:// or tls://"):
        Address.parse("udp://localhost:1", ("tcp", "tls"))


@given(st.text())
def test_any_text_is_an_address_or_a_sentence(text):
    try:
        found = Address.parse(text)
    except ValueError as error:
        sentence = str(error)
    else:
        assert Address.parse(str(found)) == found
        return
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("tcp://localhost:1", True),
        ("tcp://127.3.2.1:1", True),
        ("tcp://[::1]:1", True),
        ("unix:///x", True),
        ("tcp://0.0.0.0:1", False),
        ("tcp://example.com:1", False),
        ("tcp://[::]:1", False),
    ],
)
def test_who_can_reach_it(text, loopback):
    assert Address.parse(text).loopback is loopback


def test_the_abstract_namespace():
    assert Address.parse("unix://@a").name == b"\0a"
    assert Address.parse("unix:///a").name == "/a"


def test_it_is_its_url():
    address = Address("tcp", "localhost", 6789)
    assert address == "tcp://localhost:6789"
    assert f"{address}" == str(address) == "tcp://localhost:6789"
    assert type(str(address)) is str
    assert repr([address]) == "['tcp://localhost:6789']"
    assert {address: 1}["tcp://localhost:6789"] == 1
    assert address.but(port=1) == Address("tcp", "localhost", 1)


@pytest.mark.parametrize("text", GOOD)
def test_copies_know_their_parts(text):
    address = Address.parse(text)
    for other in (copy.copy(address), copy.deepcopy(address), pickle.loads(pickle.dumps(address))):
        assert type(other) is Address
        assert (other, other.scheme, other.host, other.port, other.path) == (
            address, address.scheme, address.host, address.port, address.path,
        )  # fmt: skip


def test_a_path_that_is_no_text():
    address = Address.parse("unix:///run/\udcff%FE")
    assert address == "unix:///run/%FF%FE"
    assert address.name == "/run/\udcff\udcfe"
    assert Address.parse(str(address)).name == address.name

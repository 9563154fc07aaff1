"""Addresses: what is one, and the sentence about what is none."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.transport.address import STREAMS, WEB, Address

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
OVER_HTTP = {  # the same as a URL, host, port, path; what is spoken, and where
    "http://localhost:8000": ("http://localhost:8000/", "localhost", 8000, "/", "jsonrpc", "/jsonrpc"),
    "http://localhost": ("http://localhost/", "localhost", 80, "/", "jsonrpc", "/jsonrpc"),
    "http://localhost:": ("http://localhost/", "localhost", 80, "/", "jsonrpc", "/jsonrpc"),
    "HTTPS://example.com:443/": ("https://example.com/", "example.com", 443, "/", "jsonrpc", "/jsonrpc"),
    "https://example.com/RPC2": ("https://example.com/RPC2", "example.com", 443, "/RPC2", "xmlrpc", "/RPC2"),
    "http://[::1]/a/": ("http://[::1]/a/", "::1", 80, "/a/", "jsonrpc", "/a/jsonrpc"),
    "http://[::1]:0": ("http://[::1]:0/", "::1", 0, "/", "jsonrpc", "/jsonrpc"),
    "http://h/a/RPC2?b=1": ("http://h/a/RPC2?b=1", "h", 80, "/a/RPC2?b=1", "xmlrpc", "/a/RPC2?b=1"),
    "http://h?b=/": ("http://h/?b=/", "h", 80, "/?b=/", "jsonrpc", "/jsonrpc?b=/"),
    "http://h/a b%20é": ("http://h/a%20b%20%C3%A9", "h", 80, "/a%20b%20%C3%A9", "jsonrpc", "/a%20b%20%C3%A9"),
    "xmlrpc+http://h:9001": ("xmlrpc+http://h:9001/RPC2", "h", 9001, "/RPC2", "xmlrpc", "/RPC2"),
    "xmlrpc+http://h:9001/": ("xmlrpc+http://h:9001/", "h", 9001, "/", "xmlrpc", "/"),
    "xmlrpc+https://h/x.php": ("xmlrpc+https://h/x.php", "h", 443, "/x.php", "xmlrpc", "/x.php"),
    "jsonrpc+http://h": ("jsonrpc+http://h/jsonrpc", "h", 80, "/jsonrpc", "jsonrpc", "/jsonrpc"),
    "jsonrpc+https://h/RPC2": ("jsonrpc+https://h/RPC2", "h", 443, "/RPC2", "jsonrpc", "/RPC2"),
    "xmlrpc+unix:///run/s.sock": ("xmlrpc+unix:///run/s.sock", "", 0, "/run/s.sock", "xmlrpc", "/RPC2"),
    "jsonrpc+unix://@s": ("jsonrpc+unix://@s", "", 0, "@s", "jsonrpc", "/jsonrpc"),
}
NOT_OVER_HTTP = {
    "http://": "http://localhost:80 is this machine",
    "https:///x": "https://localhost:443 is this machine",
    "http://:8000": "http://localhost:8000 is this machine",
    "http://h:port/": "has no port",
    "http://::1:80/": r"http://\[::1\]:80 has them",
    "http://h:65536": "numbers up to 65535",
    "http://user:hunter2@h/": "token= or user= and password=",
    "http://h/#hunter2": "no fragment",
    "http://h/?#hunter2": "no fragment",
    "http://h/\r\nHost: x": "characters that no URL has",
    "http://h\0/": "characters that no URL has",
    "http://h\n/": "characters that no URL has",
    "xmlrpc+unix://run/s.sock": "xmlrpc\\+unix:///run/s.sock with three slashes",
    "xmlrpc+tcp://h:1": "no scheme that is known here: it may be http://, https://, xmlrpc",
    "tcp://h:1": "tcp:// is of no use here: the address may begin with http://",
}


@pytest.mark.parametrize("text", OVER_HTTP)
def test_what_an_address_of_http_means(text):
    found = Address.parse(text, WEB)
    assert (found, found.host, found.port, found.path, *found.speaks) == OVER_HTTP[text]
    for other in (Address.parse(str(found), WEB), pickle.loads(pickle.dumps(found)), found.but()):
        assert (other, other.scheme, other.host, other.port, other.path, other.speaks) == (
            found, found.scheme, found.host, found.port, found.path, found.speaks,
        )  # fmt: skip


@pytest.mark.parametrize("text", NOT_OVER_HTTP)
def test_what_is_none_of_http_is_one_sentence(text):
    with pytest.raises(ValueError, match=NOT_OVER_HTTP[text]) as caught:
        Address.parse(text, WEB)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", OVER_HTTP)
def test_other_doors_refuse_http(text):
    with pytest.raises(ValueError, match=r"of no use here: the address may begin with tcp://, tls:// or unix://\Z"):
        Address.parse(text, STREAMS)
    with pytest.raises(ValueError, match="is of no use here"):
        Address.parse(text)


def test_another_port_keeps_the_path():
    assert Address.parse("http://localhost:0/a", WEB).but(port=8000) == "http://localhost:8000/a"


@given(st.sampled_from(WEB), st.text(), st.text())
def test_any_text_is_an_address_of_http_or_a_sentence(scheme, place, path):
    try:
        found = Address.parse(f"{scheme}://{place}/{path}", WEB)
    except ValueError as error:
        sentence = str(error)
    else:
        _check_of_http(found)
        return
    assert "\n" not in sentence


def _check_of_http(found):
    assert Address.parse(str(found), WEB) == found
    assert found.isprintable()
    assert found.isascii() or found.host
    assert found.speaks[1].isascii()
    assert " " not in found.speaks[1]


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
        ("xmlrpc+unix:///x", True),
        ("http://127.0.0.1", True),
        ("https://example.com", False),
        ("tcp://0.0.0.0:1", False),
        ("tcp://example.com:1", False),
        ("tcp://[::]:1", False),
    ],
)
def test_who_can_reach_it(text, loopback):
    assert Address.parse(text, (*STREAMS, *WEB)).loopback is loopback


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

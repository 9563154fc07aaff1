"""Names in short, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.sansio.hosts.many.folding import fold, shortly
from elsewhere.sansio.hosts.names import Spec, expand, split

LABEL = st.sampled_from(["web", "db", "a-b", "x_y"])
NUMBER = st.integers(0, 12).map(str) | st.integers(0, 130).map(lambda number: f"{number:03}")
NAME = st.tuples(
    st.sampled_from(["", "deploy@", "u1@", "u2@"]),
    st.lists(st.one_of(LABEL, NUMBER, st.just(".")), min_size=1, max_size=4).map(lambda parts: "h" + "".join(parts)),
    st.sampled_from(["", ":22", ":2222", ".example.com"]),
).map("".join)
ADDRESS = st.tuples(st.integers(0, 255), st.integers(0, 255)).map(lambda pair: f"10.0.{pair[0]}.{pair[1]}")
SIX = st.sampled_from(["::1", "2001:db8::1", "2001:db8::2", "[::1]:22", "[::2]:22", "deploy@[::1]:22"])


@given(st.lists(NAME | ADDRESS | SIX, max_size=60))
def test_what_is_folded_means_the_same_hosts(names: list[str]) -> None:
    folded = fold(names)
    again = [name for part in split(folded) for name in expand(part)]
    assert sorted(again) == sorted(set(names))
    for name in names:
        Spec.parse(name)


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ([], ""),
        (["web1"], "web1"),
        (["web1", "web2", "web3"], "web[1-3]"),
        (["web3", "web1", "web1"], "web[1,3]"),
        ([f"web{n:02}.example.com" for n in range(1, 21)], "web[01-20].example.com"),
        (["web8", "web9", "web10", "web11"], "web[8-11]"),
        (["web08", "web09", "web10", "web7"], "web[7,08-10]"),
        (["rack1-web01", "rack1-web02", "db1", "rack2-web01"], "rack1-web[01-02],rack2-web01,db1"),
        (["rack1-web1", "rack2-web1"], "rack[1-2]-web1"),
        ([f"127.0.0.{n}" for n in range(1, 51)], "127.0.0.[1-50]"),
        (["deploy@web1", "deploy@web2", "root@web3"], "deploy@web[1-2],root@web3"),
        (["u1@web1", "u2@web1"], "u1@web1,u2@web1"),
        (["::1", "::2"], "::1,::2"),
    ],
)
def test_how_it_looks(names: list[str], folded: str) -> None:
    assert fold(names) == folded


def test_a_sentence_names_a_few() -> None:
    assert shortly(["web1", "web2", "db1"]) == "web[1-2], db1"
    assert shortly(["a", "b", "c", "d", "e", "f", "g"], 3) == "a, b and 5 more"
    assert shortly([]) == ""

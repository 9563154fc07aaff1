"""Answers to what a command asks: once for each question, wherever the pieces part."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elsewhere.sansio.hosts.answers import KEPT, Answers, checked

PAIRS = checked({"Name:": "me", r"\[y/n\]": "y", "(?i)password": "hush"})


def typed(answers, pieces, name="stdout"):
    return [found for piece in pieces if (found := answers.feed(name, piece))]


@given(st.lists(st.sampled_from(["Name: ", "Sure [y/n] ", "Password:", "PASSWORD "]), max_size=5), st.data())
def test_each_question_is_answered_once_wherever_the_pieces_part(questions, data):
    wanted = {"N": b"me\n", "S": b"y\n", "P": b"hush\n"}
    answers = Answers(PAIRS)
    found = []
    for question in questions:
        raw = f"log of some steps\n{question}".encode()
        cut = data.draw(st.integers(0, len(raw)))
        assert answers.feed("stdout", b"") == b""
        got = typed(answers, [raw[:cut], raw[cut:]])
        assert len(got) == 1
        found += got
    assert found == [wanted[question[0]] for question in questions]


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.lists(st.integers(0, 60), max_size=4))
@example("Name: ", [2])
@example("my Name:", [])
def test_an_echo_is_no_question(answer, cuts):
    answer = answer.replace("\n", "")
    pairs = checked([("Who are you\\?", answer), ("Name:", "x")])
    answers = Answers(pairs)
    assert typed(answers, [b"Who are you? "]) == [f"{answer}\n".encode()]
    echo = answer.encode()
    edges = [0, *sorted(min(cut, len(echo)) for cut in cuts), len(echo)]
    assert typed(answers, [echo[a:b] for a, b in itertools.pairwise(edges)]) == []
    assert typed(answers, [b"\r\n", b"Name: "]) == [b"x\n"]


def test_a_question_without_an_echo_may_follow_at_once():
    answers = Answers(checked([("Password:", "hush"), ("Name:", "x")]))
    assert typed(answers, [b"Password: ", b"\r\nName:"]) == [b"hush\n", b"x\n"]
    assert typed(answers, [b"\r\nhuName:"]) == [b"x\n"]


def test_only_the_end_asks():
    answers = Answers(PAIRS)
    assert typed(answers, [b"Name: was asked\n", b"Name:\n", b"more"]) == []
    assert answers.open == "more"
    assert typed(answers, [b"\nName:\x1b[0m \x1b]0;title\x07"]) == [b"me\n"]


def test_streams_are_apart():
    answers = Answers(PAIRS)
    assert answers.feed("stdout", b"Na") == b""
    assert answers.feed("stderr", b"me: ") == b""
    assert answers.feed("stdout", b"me: ") == b"me\n"


def test_the_first_that_finds_something_counts():
    assert typed(Answers(checked([("me:", "1"), ("Name:", "2")])), [b"Name:"]) == [b"1\n"]
    assert typed(Answers(checked([(re.compile("NAME", re.IGNORECASE), "1\n")])), [b"name"]) == [b"1\n"]
    assert typed(Answers(checked([(re.compile("na # x", re.VERBOSE), "1")])), [b"na"]) == [b"1\n"]
    assert typed(Answers(checked([("Größe", "ä")]), "latin-1"), ["Größe".encode("latin-1")]) == [b"\xe4\n"]


def test_little_is_kept():
    answers = Answers(PAIRS)
    for _ in range(100):
        answers.feed("stdout", b"x" * 1000)
    assert len(answers.open) <= KEPT
    assert typed(answers, [b"\nName: "]) == [b"me\n"]


def test_wrong_bytes_are_no_harm():
    assert typed(Answers(PAIRS), [b"\xff\xfe\xc3", b"Name: "]) == [b"me\n"]


@pytest.mark.parametrize(
    ("given_", "error"),
    [
        ("x", TypeError),
        (["ab"], TypeError),
        ([("a", "b", "c")], TypeError),
        ({b"a": "b"}, TypeError),
        ({"a": b"b"}, TypeError),
        ({re.compile(b"a"): "b"}, TypeError),
        ({"": "b"}, ValueError),
        ({"(": "b"}, ValueError),
    ],
)
def test_what_are_no_answers(given_, error):
    with pytest.raises(error):
        checked(given_)

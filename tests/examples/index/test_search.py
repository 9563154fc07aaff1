"""A search finds what a look into every file finds, no more and no less, in the order that the formula says."""

from __future__ import annotations

import math
import os
import re
import threading
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elsewhere import Pool
from tests.examples.index.helpers import run

WORDS = ("a", "ab", "abc", "b", "ba", "émigré", "_x", "9")


@st.composite
def cases(draw):
    """Some texts, and four questions about them, each a list of (as it is written, its words, is there a star?)."""
    texts = draw(st.lists(st.lists(st.sampled_from(WORDS), max_size=12), min_size=1, max_size=8))
    return texts, [draw(st.lists(parts(texts), min_size=1, max_size=3)) for _ in range(4)]


@st.composite
def parts(draw, texts):
    """A word, a beginning, or a phrase, which is most often one of some text."""
    kind, text = draw(st.sampled_from(("word", "begin", "phrase", "phrase"))), draw(st.sampled_from(texts))
    if kind != "phrase":
        word = draw(st.sampled_from(WORDS))
        return (f"{word}*", [word], True) if kind == "begin" else (word, [word], False)
    place = draw(st.integers(0, max(0, len(text) - 2)))
    words = text[place : place + draw(st.integers(2, 3))] or draw(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=3)
    )
    return f'"{" ".join(words)}"', words, False


def brute_count(text, words, begins):
    """How often a part of a query is in a text, by a look at each place."""
    if begins:
        return sum(word.startswith(words[0]) for word in text)
    return sum(text[place : place + len(words)] == words for place in range(len(text)))


def brute_search(texts, wanted):
    """Numbers of the texts that have every part, with their scores: BM25 with k1 = 1.2 and b = 0.75."""
    mean = sum(map(len, texts)) / len(texts)
    scores = {}
    for number, text in enumerate(texts):
        counts = [brute_count(text, words, begins) for _, words, begins in wanted]
        if not all(counts):
            continue
        score = 0.0
        for (_, words, begins), count in zip(wanted, counts, strict=True):
            having = sum(brute_count(other, words, begins) > 0 for other in texts)
            idf = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
            score += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(text) / mean))
        scores[number] = score
    return scores


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A pool, and a folder for what is searched."""
    with Pool(where="inline") as pool:
        yield pool, tmp_path_factory.mktemp("place")


@given(cases())
@settings(max_examples=50)
def test_as_by_brute_force(example, place, case):
    (pool, folder), (texts, questions) = place, case
    for old in folder.glob("*.txt"):
        old.unlink()
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(", ".join(text).upper())
    example.indexer.build([str(folder)], str(folder / "index"), pool)
    with closing(example.search.Index(str(folder / "index"))) as index:
        for wanted in questions:
            query = " ".join(query for query, _, _ in wanted)
            found = index.search(query, limit=100)
            scores = {int(os.path.basename(hit.path)[:-4]): hit.score for hit in found}
            assert scores == pytest.approx(brute_search(texts, wanted), abs=1e-3), query
            assert [hit.score for hit in found] == sorted(scores.values(), reverse=True)
            assert index.search(query, limit=2) == found[:2]


def test_real_files_as_by_a_pattern(example, texts, index):
    opened = example.search.Index(str(index))
    files = {str(path): path.read_text("latin-1").casefold() for path in texts.glob("0*/*.txt")}
    for query, pattern in [("self", r"\bself\b"), ("os.path", r"\bos\W+path\b"), ("imp*", r"\bimp")]:
        expected = {path for path, text in files.items() if re.search(pattern, text)}
        assert len(expected) > 10
        found = opened.search(query, limit=1000)
        assert {hit.path for hit in found} == expected
        assert all(re.search(pattern.split(r"\W")[0], hit.line.casefold()) for hit in found if len(hit.line) < 200)
    opened.close()


@pytest.mark.parametrize(
    ("query", "file"),
    [
        ("QUOKKA", "latin.txt"),
        ("STRASSE", "latin.txt"),
        ("köln", "latin.txt"),
        ("wombat ЛЕСУ", "wide.txt"),
        ("numbat", "marked.txt"),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE} bilby", "parts.txt"),
        ("y" * 100, "long.txt"),
    ],
)
def test_words_of_odd_files(example, index, query, file):
    opened = example.search.Index(str(index))
    [hit] = opened.search(query)
    opened.close()
    assert os.path.basename(hit.path) == file
    assert hit.line


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ('"the open file"', "The open, file."),
        ("open descriptor", "an open descriptor"),
        ("desc*", "an open descriptor"),
        ('"file an"', "open file"),  # it goes over the end of the line, which shows its beginning
    ],
)
def test_the_line_that_is_shown_has_most_of_the_query(example, tmp_path, query, line):
    (tmp_path / "text.txt").write_text("the the\nopen file\nan open descriptor\n  The open, file.\n")
    parts = example.search.parsed(query)
    assert example.search.line(str(tmp_path / "text.txt"), parts) == line
    assert example.search.line(str(tmp_path / "gone.txt"), parts) == ""


def test_what_is_not_there(example, index):
    opened = example.search.Index(str(index))
    assert opened.search("x" * 101) == []  # no word, but data
    assert opened.search("quokka wombat") == []
    assert opened.search("quokkas*") == []
    with pytest.raises(ValueError, match="there is no word in the query ' \\* \"\" '"):
        opened.search(' * "" ')
    with pytest.raises(ValueError, match=r"os\.pa\*: a star may stand behind one word"):
        opened.search("os.pa*")
    with pytest.raises(ValueError, match="limit is 1 or more, not 0"):
        opened.search("self", limit=0)
    opened.close()


def test_the_text_most_like_a_file_is_that_file(example, texts, index):
    opened = example.search.Index(str(index))
    path = texts / "000" / "000123.txt"
    assert opened.similar(path.read_text("latin-1"), limit=3)[0].path == str(path)
    with pytest.raises(ValueError, match="no word in this text"):
        opened.similar("...")
    opened.close()


def test_another_index_in_its_place_is_seen_by_all_threads(example, tmp_path):
    (tmp_path / "one.txt").write_text("first")
    path = str(tmp_path / "index")
    with Pool(where="inline") as pool:
        example.indexer.build([str(tmp_path)], path, pool)
        opened = example.search.Index(path)
        found, go = [], threading.Barrier(5)

        def search():
            go.wait(60)
            found.append(len(opened.search("first")))
            go.wait(60)
            go.wait(60)
            found.append(len(opened.search("first")))

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        go.wait(60)
        go.wait(60)
        (tmp_path / "two.txt").write_text("first")
        example.indexer.build([str(tmp_path)], path, pool)
        go.wait(60)
        for thread in threads:
            thread.join()
    opened.close()
    assert found == [1] * 4 + [2] * 4


def test_what_is_no_index_is_said(example, index, tmp_path):
    with pytest.raises(FileNotFoundError):
        example.search.Index(str(tmp_path / "nowhere"))
    (tmp_path / "text").write_text("no index")
    with pytest.raises(ValueError, match=r"text is no text index \(file is not a database\): indexer\.py makes one"):
        example.search.Index(str(tmp_path / "text"))
    example.store.write(str(tmp_path / "older"), {}, [], [], [])
    example.store.write(str(tmp_path / "newer"), {"format": 2}, [], [], [])
    with pytest.raises(ValueError, match="newer has format 2, and this program reads 1: build it again"):
        example.search.Index(str(tmp_path / "newer"))


def test_by_hand(index):
    found = run("search", index, "quokka", "köln").stdout
    assert re.fullmatch(r" +\d+\.\d+  \S+/odd/latin\.txt  Straße nach Köln, quokka\n", found)
    assert run("search", index, "...", status=1).stderr == "search.py: there is no word in the query '...'\n"
    assert "no such file" in run("search", "nowhere", "a", status=1).stderr.lower()

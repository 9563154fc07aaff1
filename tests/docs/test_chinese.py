"""The Chinese pages say what the English ones say: the same blocks, links and headings, in Chinese.

Their blocks are not run once more: each is the English one, which is, but for comments and docstrings.
"""

from __future__ import annotations

import io
import os
import re
import tokenize
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, FENCE, ROOT, Block, blocks

CHINESE = DOCS / "zh"
HAN = r"[\u4e00-\u9fff]"
LINK = re.compile(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
PAIRS = {ROOT / "README.md": ROOT / "README.zh-CN.md", DOCS / "index.md": CHINESE / "index.md"} | {
    page: CHINESE / "tutorial" / page.name for page in sorted((DOCS / "tutorial").glob("*.md"))
}
each_pair = pytest.mark.parametrize(
    ("english", "chinese"), PAIRS.items(), ids=[str(page.relative_to(ROOT)) for page in PAIRS]
)
each_page = pytest.mark.parametrize(
    "page", PAIRS.values(), ids=[str(page.relative_to(ROOT)) for page in PAIRS.values()]
)


def parts(program: str) -> tuple[list[str], list[str]]:
    """What Python sees of a program, docstrings left out, and what it says to people: its comments and docstrings."""
    code, said = [], []
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(program).readline) if token.type != tokenize.NL]
    begins = True  # a statement
    for token, following in pairwise(tokens):
        if token.type == tokenize.COMMENT:
            said.append(token.string.lstrip("# "))
            continue
        if begins and token.type == tokenize.STRING and following.type == tokenize.NEWLINE:
            said.append(token.string.strip('"'))
        elif token.type in {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}:
            code.append(tokenize.tok_name[token.type])
        else:
            code.append(token.string)
        begins = token.type in {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    return code, said


def programs(page: Path) -> list[str]:
    return [block.text for block in blocks(page) if block.language == "python"]


@pytest.fixture(scope="module")
def docstrings():
    """Of the English programs, each with its translation: some programs print them."""
    pairs: dict[str, str] = {}
    for english, chinese in PAIRS.items():
        for one, other in zip(programs(english), programs(chinese), strict=False):
            pairs.update((a, b) for a, b in zip(parts(one)[1], parts(other)[1], strict=False) if f'"""{a}' in one)
    return pairs


def test_each_page_of_the_tutorial_is_there():
    assert sorted(PAIRS.values()) == sorted([ROOT / "README.zh-CN.md", *CHINESE.rglob("*.md")])


@each_pair
def test_the_blocks_are_the_same(english, chinese, docstrings):
    pairs = list(zip(blocks(english), blocks(chinese), strict=True))
    for one, other in pairs:
        assert (other.language, english_title(other), bool(other.why_not)) == (
            one.language,
            one.title,
            bool(one.why_not),
        )
        if one.language == "python":
            assert parts(other.text)[0] == parts(one.text)[0], f"{other.place} differs from {one.place}"
        else:
            expected = re.sub("|".join(map(re.escape, docstrings)), lambda found: docstrings[found[0]], one.text)
            assert without_comments(other.text) == without_comments(expected), f"{other.place}, {one.place}"


def english_title(block: Block) -> str:
    return re.sub(r"^终端(?= \d)", "Terminal", block.title)


def without_comments(terminal: str) -> str:
    return re.sub(r"^(\$ .*?) +# .*$", r"\1", terminal, flags=re.MULTILINE)


@each_pair
def test_what_programs_say_to_people_is_chinese(english, chinese):
    for one, other in zip(programs(english), programs(chinese), strict=True):
        for said, translated in zip(parts(one)[1], parts(other)[1], strict=True):
            assert re.search(HAN, translated) or not re.search("[a-z]{2}", said), translated


@each_pair
def test_the_headings_are_as_many(english, chinese):
    assert headings(chinese) == headings(english)


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+(?= )", FENCE.sub("", page.read_text()), re.MULTILINE)


@each_pair
def test_the_figures_of_tables_are_the_same(english, chinese):
    assert figures(chinese) == figures(english)


def figures(page: Path) -> list[list[str]]:
    """Of each row, in any order."""
    rows = re.findall(r"^\|.*\|$", prose(page), re.MULTILINE)
    return [sorted(re.findall(r"\d+(?:[,.]\d+)*", row)) for row in rows]


@each_pair
def test_the_links_lead_to_the_same_places(english, chinese):
    there = {str(page.relative_to(ROOT)): str(other.relative_to(ROOT)) for page, other in PAIRS.items()}
    expected = Counter(there.get(target, target) for target in links(english))
    found = Counter(links(chinese))
    for page in (english, chinese):  # from one language to the other
        expected.pop(str(page.relative_to(ROOT)), None)
        expected.pop(there.get(str(page.relative_to(ROOT)), ""), None)
        found.pop(str(page.relative_to(ROOT)), None)
    assert found == expected


def links(page: Path) -> list[str]:
    """Where a page's links lead: a path from the root of the repository, or an address."""
    targets = [target for _, target in LINK.findall(FENCE.sub("", page.read_text()))]
    return [
        target if "://" in target else os.path.relpath(os.path.normpath(page.parent / target), ROOT)
        for target in targets
    ]


def prose(page: Path) -> str:
    """Without blocks, marks and addresses."""
    text = re.sub(r"^<!--.*?-->$", "", FENCE.sub("", page.read_text()), flags=re.MULTILINE)
    return LINK.sub(r"\1", text).replace("*", "")


@each_page
def test_it_is_typeset_as_chinese_is(page):
    text = prose(page)
    assert re.findall(rf".{{,9}}{HAN}[A-Za-z0-9`].{{,9}}|.{{,9}}[A-Za-z0-9`%]{HAN}.{{,9}}", text) == []
    words = re.sub(r"`[^`\n]*`", "x", text)
    assert re.findall(rf".{{,9}}{HAN} ?[,;:?!.()](?![\w/]).{{,9}}", words) == [], "punctuation is Chinese, too"
    assert "您" not in text


@each_page
def test_a_paragraph_is_one_line(page):
    """A browser shows a line break as a space, and there is none between Chinese words."""
    lines = FENCE.sub("", page.read_text()).splitlines()
    own = re.compile(r"\s*$|[#|>]|- |\d+\. |<!--")
    assert [after for before, after in pairwise(lines) if before.strip() and not own.match(after)] == []

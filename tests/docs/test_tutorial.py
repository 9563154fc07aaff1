"""The tutorial, done by one reader from its first page to its last."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, blocks, play
from tests.require import require

pytestmark = [pytest.mark.slow, pytest.mark.bound(300)]

PAGES = sorted((DOCS / "tutorial").glob("[0-9]*.md"), key=lambda page: int(page.name.partition("-")[0]))
NEEDS = {
    "5": {"module": "numpy", "install": "pip install 'elsewhere[numpy]'"},
    "7": {"module": "uvicorn", "install": "pip install 'elsewhere[http]'"},
    "10": {"module": "distributed", "install": "pip install 'elsewhere[dask]'"},
}
HOSTS = {"8", "9", "11"}


def number(page: Path) -> str:
    return page.name.partition("-")[0]


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """The folder of logs that the first page makes."""
    folder = tmp_path_factory.mktemp("first")
    [program] = [block for block in blocks(PAGES[0]) if block.title == "make_logs.py"]
    subprocess.run([sys.executable, "-c", program.text], cwd=folder, check=True, timeout=60)
    return folder / "logs"


ALONE = [page for page in PAGES if number(page) not in HOSTS]
WITH_HOSTS = [page for page in PAGES if number(page) in HOSTS]


@pytest.mark.parametrize("page", ALONE, ids=[page.stem for page in ALONE])
def test_a_page_is_as_it_says(page, logs, tmp_path):
    if number(page) in NEEDS:
        require(**NEEDS[number(page)])
    read(page, logs, tmp_path)


@pytest.mark.parametrize("page", WITH_HOSTS, ids=[page.stem for page in WITH_HOSTS])
def test_a_page_with_hosts_is_as_it_says(page, logs, hosts, tmp_path):
    read(page, logs, tmp_path, hosts)


def read(page, logs, folder, hosts=None):
    """By somebody who has read the pages before it, and has their files."""
    desk = folder / "desk"
    desk.mkdir()
    if page != PAGES[0]:
        shutil.copytree(logs, desk / "logs", copy_function=os.link)
        for block in (block for earlier in PAGES[: PAGES.index(page)] for block in blocks(earlier) if block.is_file):
            (desk / block.title).write_text(block.text)
    (folder / "reader").mkdir()
    play(page, folder / "reader", home=hosts, desk=desk)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_ends_with_what_was_seen_and_where_to_go(page):
    title, *_ = page.read_text().splitlines()
    assert title.startswith(f"# {number(page)}. ")
    end = page.read_text().partition("\n## What you have seen\n")[2]
    assert end.split("\n\n")[0].count("\n- ") == 3, "three lines"
    following = PAGES[PAGES.index(page) + 1 :][:1]
    assert all(f"Next: [{_title(after)}]({after.name})" in end.replace("\n", " ") for after in following)


def _title(page):
    """As it is linked: "a slow loop"."""
    title = page.read_text().splitlines()[0].partition(". ")[2]
    return title if title.startswith("Python") else title[0].lower() + title[1:]


def test_the_first_page_names_them_all():
    text = (DOCS / "tutorial" / "index.md").read_text()
    named = re.findall(r"^\d+\. \[.*?\]\((.*?)\)", text, re.MULTILINE)
    assert named == [page.name for page in PAGES]

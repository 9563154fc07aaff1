"""The programs of docs/coming-from: run as a reader would, and the old ones by what they were written for."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, blocks, play
from tests.ports import free_port
from tests.require import require

PAGES = sorted((DOCS / "coming-from").glob("*.md"))
ON_HOSTS = {"fabric1", "fabric3"}
# Each page's old program, the environment where its library is, and how it is run there.
ORIGINALS = {
    "msgpackrpc": ("before.py", ".venv-msgpackrpc", ["python", "before.py"]),
    "fabric1": ("fabfile.py", ".venv-fabric1", ["fab", "--hide=status,running", "-H", "web1,web2", "folder:news"]),
    "fabric3": ("before.py", ".venv-fabric3", ["python", "before.py"]),
}


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem not in ON_HOSTS], ids=lambda page: page.stem)
def test_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    play(page, tmp_path)


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem in ON_HOSTS], ids=lambda page: page.stem)
def test_what_the_page_shows_on_hosts(page: Path, tmp_path: Path, hosts: Path) -> None:
    play(page, tmp_path, home=hosts)


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_original_prints_the_same(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    title, venv, words = ORIGINALS[name]
    programs = require(file=f"{venv}/bin/python", install=f".ci/peers {venv.removeprefix('.venv-')}").parent
    home = request.getfixturevalue("hosts") if name in ON_HOSTS else tmp_path
    found = blocks(DOCS / "coming-from" / f"{name}.md")
    [text] = [block.text for block in found if block.title == title]
    (tmp_path / title).write_text(re.sub(r"\b6789\b", str(free_port()), text))
    done = subprocess.run(
        [str(programs / "python"), "-W", "ignore", *([str(programs / "fab")] if words[0] == "fab" else []), *words[1:]],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    [shown] = [block.text for block in found if block.language == "console" and "after.py" in block.text]
    expected = re.split(r"^\$ .*\n", shown, flags=re.MULTILINE)[1]
    assert done.stdout == expected, done.stderr

"""The site: every page is in it, every public name is in the reference, and a broken link is an error.

The site itself is built by ``make check``, strictly.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import elsewhere
from benchmarks import overview
from tests.docs import blocks, commands
from tests.require import ROOT, require

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
ROOMS = ("fleet", "net", "rpc", "shared")
PAGES = sorted(path for path in DOCS.rglob("*.md"))
# What futures ask of the pool that they are of; nobody else does.
INSIDE = {"attend", "forget", "is_running", "later", "stops_running", "wait_for"}


def public_names():
    yield from elsewhere.__all__
    for room in ROOMS:
        own = set(importlib.import_module(f"elsewhere.{room}").__all__)
        yield from (f"{room}.{name}" for name in sorted(own - set(elsewhere.__all__)))


def public_classes():
    for name in public_names():
        room, _, last = f"elsewhere.{name}".rpartition(".")
        value = getattr(importlib.import_module(room), last)
        if inspect.isclass(value) and value.__module__.startswith("elsewhere"):
            yield value


def test_each_page_is_in_the_nav_and_has_a_title():
    yaml = require(module="yaml", install="pip install -e '.[docs]'")
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    named = re.findall(r"'([\w./-]+\.md)'", str(config["nav"]))
    assert sorted(named) == [str(page.relative_to(DOCS)) for page in PAGES]
    assert [page for page in PAGES if not re.match(r"# \S", page.read_text())] == []


def test_the_first_page_is_as_it_says(tmp_path):
    blocks.play(DOCS / "index.md", tmp_path)


def test_each_public_name_is_in_the_reference():
    index = (REFERENCE / "index.md").read_text()
    assert [name for name in public_names() if not re.search(rf"`{re.escape(name)}`(\]\(| ·)", index)] == []
    pages = "\n".join(page.read_text() for page in REFERENCE.glob("*.md"))
    shown = {path.rpartition(".")[2] for path in re.findall(r"^::: (\S+)$", pages, re.MULTILINE)}
    shown.update(re.findall(r"\w+", " ".join(re.findall(r"^## (.+)$", pages, re.MULTILINE))))
    assert "errors" in shown  # all of them on one page
    assert [cls for cls in public_classes() if cls.__module__ != "elsewhere.errors" and cls.__name__ not in shown] == []


def test_each_public_method_says_what_it_does():
    silent = {
        (cls.__name__, name)
        for cls in public_classes()
        for name, owner in ((name, owner_of(cls, name)) for name in dir(cls))
        if not name.startswith("_") and name not in INSIDE and owner.__module__.startswith("elsewhere")
        if callable(getattr(cls, name)) or isinstance(vars(owner)[name], property)
        if not inspect.getdoc(getattr(cls, name))
    }
    made = re.findall(r"\w+", elsewhere.SyncManager.__doc__ or "")  # what a manager makes is told in one list
    assert {entry for entry in silent if entry[0] != "SyncManager" or entry[1] not in made} == set()


def owner_of(cls: type, name: str) -> type:
    return next((each for each in cls.__mro__ if name in vars(each)), object)


def test_the_page_of_the_command_line_is_what_the_commands_say():
    written = (REFERENCE / "cli.md").read_text()
    assert written == commands.page(), "write it anew: python -m tests.docs.commands"


def test_the_pictures_and_tables_of_the_benchmarks_say_what_their_pages_say():
    for path, text in overview.written().items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)}: write it anew: python -m benchmarks.overview"


class TestBuilding:
    """As ``make check`` builds, but another folder of one page."""

    @pytest.fixture
    def build(self, tmp_path):
        require(module="mkdocs", install="pip install -e '.[docs]'")
        found = re.search(r"^\t\$\(MKDOCS\) (build --strict.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert found is not None
        (tmp_path / "docs" / "assets").mkdir(parents=True)
        (tmp_path / "docs" / "assets" / "site.css").write_text((DOCS / "assets" / "site.css").read_text())
        config = tmp_path / "mkdocs.yml"
        config.write_text(
            f"INHERIT: {ROOT / 'mkdocs.yml'}\ndocs_dir: docs\nsite_dir: site\n"
            "plugins: [search]\nhooks: []\nnav: [page.md]\n"
        )

        def run(text: str) -> tuple[int, str, Path]:
            (tmp_path / "docs" / "page.md").write_text(text)
            ended = subprocess.run(
                [sys.executable, "-m", "mkdocs", *found[1].split(), "-f", str(config)],
                env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
                capture_output=True,
                text=True,
                check=False,
            )
            return ended.returncode, ended.stdout + ended.stderr, tmp_path / "site" / "page.html"

        return run

    def test_it_is_calm_and_needs_no_other_site(self, build):
        code, said, page = build("# A page\n\n## A part\n\n[there](#a-part)\n\n```python\nprint(1)\n```\n")
        assert code == 0, said
        assert [line for line in said.splitlines() if not line.startswith("INFO")] == []
        html = page.read_text()
        assert '<div class="language-python highlight">' in html
        assert re.findall(r'(?:src|<link[^>]* href)="(?:https?:)?//[^"]*"', html) == []

    @pytest.mark.parametrize("link", ["nowhere.md", "#nowhere", "/nowhere.md", "../README.md"])
    def test_a_link_that_leads_nowhere_is_an_error(self, build, link):
        code, said, _ = build(f"# A page\n\n[there]({link})\n")
        assert code != 0
        assert link.lstrip("/") in said

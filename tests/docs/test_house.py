"""docs/house.md shows the rooms there are, in their own words, and docs/design.md names no file that is not there."""

from __future__ import annotations

import re

import pytest

from tests.docs.house import PAGE, ROOT, SOURCE, page, rooms, words


@pytest.mark.parametrize("room", rooms(), ids=lambda room: str(room.relative_to(SOURCE)))
def test_each_room_says_what_it_is(room):
    assert len(words(room)) > 10


def test_the_page_is_what_the_rooms_say():
    assert PAGE.read_text() == page(), "python -m tests.docs.house writes it"


@pytest.mark.parametrize("name", ["design", "design-pool", "design-processes", "design-services", "design-hosts"])
def test_the_files_that_the_design_names_are_there(name):
    text = (ROOT / "docs" / f"{name}.md").read_text()
    names = set(re.findall(r"`((?:[a-z_0-9]+/)+(?:[a-z_0-9]+\.py)?|[a-z_0-9]+\.py)`", text))
    assert names
    missing = [
        name for name in names if not any((base / name).exists() for base in (SOURCE, ROOT, ROOT / "benchmarks"))
    ]
    assert missing == []

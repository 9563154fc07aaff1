"""The picture of docs/design.md shows the tables that the scheduler runs on."""

from __future__ import annotations

from tests.docs.states import PICTURE, TABLES, drawing


def test_the_picture_is_what_the_tables_say():
    assert PICTURE.read_text() == drawing(), "python -m tests.docs.states writes it"


def test_each_state_has_its_row():
    for table in TABLES:
        assert set(table) == set(type(next(iter(table))))

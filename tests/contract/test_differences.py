"""What differs between places is written in docs/places.md, in a table that says of each place what the suite knows."""

from __future__ import annotations

import dataclasses

from tests.contract.places import DIFFERENCES, HOSTS, NEARBY, PLACES, Place
from tests.require import ROOT

COLUMNS = {"processes": "forkserver", "threads": "threads", "loop": "loop", "inline": "inline"}
COLUMNS |= {"hosts": "hosts", "Dask": "dask"}
HOW_IT_LOOKS = {"slow"}


def test_each_difference_is_in_the_table_of_the_docs():
    wanted = {field.name for field in dataclasses.fields(Place) if field.type == "bool"} - HOW_IT_LOOKS
    assert set(DIFFERENCES) == wanted
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "places.md").read_text().splitlines()
        if line.startswith("|")
    ]
    heads = next(row for row in rows if row[0] == "" and "loop" in row)
    assert set(heads[1:]) == set(COLUMNS)
    places = {place.name: place for place in PLACES}
    for name, sentence in DIFFERENCES.items():
        (row,) = [row for row in rows if row[0] == sentence]
        for head, cell in zip(heads[1:], row[1:], strict=True):
            assert (head, cell) == (head, "yes" if getattr(places[COLUMNS[head]], name) else "no"), sentence


def test_far_places_differ_as_the_one_nearby():
    """What is tested quickly nearby is what hosts do, but for what the room of hosts adds."""
    for name in set(DIFFERENCES) - {"raw"}:
        assert getattr(NEARBY, name) == getattr(HOSTS, name), name

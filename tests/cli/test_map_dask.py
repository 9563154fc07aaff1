"""``elsewhere map --where dask://...``: the same rows, from a cluster that has nothing of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from elsewhere.cli.group import run
from tests.contract.yards import Dask, dask

SENT = "tests.cli.hosts.sent"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    with dask(tmp_path_factory.mktemp("dask"), "127.23.0.11", ["127.23.0.12"]) as found:
        yield found


def test_rows_are_the_same_and_can_be_gone_on_with(
    cluster: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    args = ["map", f"{SENT}:fussy", "a", "bad", "c", "-q"]
    there = (run([*args, "--where", cluster.address]), capfd.readouterr().out)
    here = (run(args), capfd.readouterr().out)
    assert there[0] == here[0] == 1
    for one, other in zip(map(json.loads, there[1].splitlines()), map(json.loads, here[1].splitlines()), strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}
    file = ["-o", "rows.jsonl", "--where", cluster.address]
    assert run(["map", f"{SENT}:double", "1", "2", "-q", *file]) == 0
    assert run(["map", f"{SENT}:double", "1", "2", "-q", *file, "--resume"]) == 0
    assert len(Path("rows.jsonl").read_text().splitlines()) == 2
    capfd.readouterr()


def test_what_functions_print_is_not_between_the_rows(cluster: Dask, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["map", f"{SENT}:says", "1", "-q", "--where", cluster.address]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["value"] == 1
    assert "printed 1" in err


def test_a_cluster_that_is_not_there_is_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["map", f"{SENT}:double", "1", "-q", "--where", "dask://127.23.0.99:1"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "127.23.0.99" in err

"""Rows of hosts in a file: whatever a kill, a full disk or an editor left there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from elsewhere.cli.batch.destination import Wish
from elsewhere.cli.ending import WrongUsage
from elsewhere.cli.hosts.doing.file import look, open_rows
from tests.cli.hosts.helpers import rows_of

WHAT = "run: id"
LINES = [b'{"host": "web%d", "ok": %s}\n' % (n, b"true" if n % 2 else b"false") for n in range(1, 5)]


def gone_on(path: Path, **wishes: Any) -> tuple[set[str], list[str]]:
    """Which hosts are done; a row of each other one is written."""
    said: list[str] = []
    rows = open_rows(Wish(output=str(path), **({"resume": True} | wishes)), WHAT, said.append)
    try:
        for n in range(1, 5):
            if f"web{n}" not in rows.before.done:
                rows.sink.write(b'{"host": "web%d", "ok": true, "new": 1}\n' % n)
    finally:
        rows.sink.close()
    return rows.before.done, said


def test_a_cut_at_any_byte_is_made_good(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    whole = b"".join(LINES)
    for cut in range(0, len(whole) + 1, 3):
        path.write_bytes(whole[:cut])
        done, said = gone_on(path)
        assert len(done) == whole[:cut].count(b"\n")
        assert said == ([] if not cut or whole[cut - 1 : cut] == b"\n" else [f"{path}: 1 unfinished line dropped."])
        assert sorted(rows_of(path.read_text())) == ["web1", "web2", "web3", "web4"]
        assert path.read_bytes().startswith(b"".join(LINES[: len(done)]))


def test_what_failed_goes_before_it_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"".join(LINES) + LINES[0] + b"\0\0\n")
    done, _ = gone_on(path, retry_failed=True)
    assert done == {"web1", "web3"}
    found = rows_of(path.read_text())
    assert {host for host, row in found.items() if "new" in row} == {"web2", "web4"}


@pytest.mark.parametrize("line", ["x", "[]", "{}", '{"host": 1, "ok": true}', '{"host": "web1", "ok": 1}', "[" * 9000])
def test_what_is_no_row_is_said(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows"
    path.write_bytes(LINES[0] + line.encode() + b"\n")
    with pytest.raises(WrongUsage, match=r"rows, line 2, is not a row of this command"):
        gone_on(path)
    assert path.read_bytes() == LINES[0] + line.encode() + b"\n"


def test_two_at_once_and_another_command(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    rows = open_rows(Wish(output=str(path)), WHAT, print)
    try:
        with pytest.raises(WrongUsage, match="Another command is writing"):
            gone_on(path)
        rows.sink.write(LINES[0])
    finally:
        rows.sink.close()
    with pytest.raises(WrongUsage, match="holds rows of something else, run: id, and not of run: ls"):
        look(Wish(output=str(path), resume=True), "run: ls")
    assert json.loads((tmp_path / "rows.run").read_text())["function"] == WHAT

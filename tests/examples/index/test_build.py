"""The index of the same files is the same, byte for byte, wherever its parts were made, and whatever died meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from elsewhere import Pool
from tests.cli.helpers import Started, lines, rows, shell, until
from tests.examples.index.helpers import BOUND, DASK, EXAMPLE, environment, odd_files, run
from tests.examples.index.hosts import NAMES
from tests.far.driving import interpreters
from tests.require import ROOT, require


def test_what_is_in_it_and_what_is_not(texts, index, tmp_path):
    expected = odd_files(tmp_path / "odd")
    again = run("indexer", texts, "-o", tmp_path / "again.index", "--where", "inline")
    told = dict(re.findall(r"^skipped .*/odd/(\S+): (.*)$", again.stderr, re.MULTILINE))
    assert told == expected
    assert again.stdout.startswith("707 files, ")
    assert (tmp_path / "again.index").read_bytes() == index.read_bytes()


@pytest.mark.parametrize("where", ["threads", "processes"])
def test_on_this_machine(texts, index, tmp_path, where):
    assert "4/4" in run("indexer", texts, "-o", tmp_path / "index", "--where", where).stderr
    assert (tmp_path / "index").read_bytes() == index.read_bytes()


def test_on_hosts(texts, index, tmp_path, home):
    run("indexer", texts, "-o", tmp_path / "index", "--hosts", *NAMES, HOME=str(home))
    assert (tmp_path / "index").read_bytes() == index.read_bytes()


OLD = """
import platform
import sys
from contextlib import closing

from elsewhere import Fleet, Pool
from indexer import build
from search import Index


def look(index):
    with closing(Index(index)) as opened:
        return platform.python_version(), opened.search('"strasse nach" quok*')[0].line


python, texts, index = sys.argv[1:]
with Fleet("web1", python=python) as fleet:
    with Pool(2, where=fleet) as pool:
        build([texts], index, pool, send=True)
    print(*fleet.each(look, index)["web1"])
"""


def test_on_a_host_with_the_oldest_python(texts, index, tmp_path, home):
    python = interpreters()[0]
    (tmp_path / "program.py").write_text(OLD)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py", python, texts, tmp_path / "index"],
        env=environment(HOME=str(home), PYTHONPATH=f"{ROOT / 'src'}{os.pathsep}{EXAMPLE}"),
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND,
    )
    assert done.returncode == 0, done.stderr
    version = subprocess.check_output([python, "-V"], text=True).split()[1]
    assert done.stdout == f"{version} Straße nach Köln, quokka\n"
    assert (tmp_path / "index").read_bytes() == index.read_bytes()


def test_on_dask(texts, index, tmp_path):
    require(module="distributed", install=DASK)
    run("indexer", texts, "-o", tmp_path / "index", "--where", "dask")
    assert (tmp_path / "index").read_bytes() == index.read_bytes()


def test_workers_that_are_killed_cost_no_file(example, texts, index, tmp_path):
    built = []
    with Pool(2) as pool:
        work = threading.Thread(
            target=lambda: built.append(example.indexer.build([str(texts)], str(tmp_path / "index"), pool))
        )
        work.start()
        running = until(lambda: pool.statistics().running or not work.is_alive())
        os.kill(running[0].worker, signal.SIGKILL)
        work.join()
        assert pool.statistics().lost_workers == 1
    assert built[0].files == 707
    assert (tmp_path / "index").read_bytes() == index.read_bytes()


def test_a_folder_that_is_not_there_is_said_and_nothing_is_touched(index, tmp_path):
    (tmp_path / "index").write_bytes(b"the old one")
    said = run("indexer", tmp_path / "nowhere", "-o", tmp_path / "index", status=1).stderr
    assert said == f"indexer.py: {tmp_path}/nowhere is no folder\n"
    assert (tmp_path / "index").read_bytes() == b"the old one"


def test_an_index_that_cannot_be_written_leaves_the_old_one(example, tmp_path):
    (tmp_path / "index").write_bytes(b"the old one")
    with pytest.raises(sqlite3.IntegrityError):
        example.store.write(str(tmp_path / "index"), {"files": 2}, [(1, "a"), (1, "b")], [], [])
    assert os.listdir(tmp_path) == ["index"]
    assert (tmp_path / "index").read_bytes() == b"the old one"


def test_on_the_shell_with_ctrl_c_and_resume(texts, tmp_path):
    listed = run("corpus", texts).stdout
    assert listed.count("\n") == 709
    (tmp_path / "files.txt").write_text(listed, errors="surrogateescape")
    out = tmp_path / "rows.jsonl"
    words = (f"{EXAMPLE / 'words.py'}:count", "--output", str(out))
    # The first half comes by a pipe that stays open: so the run cannot end by itself before Ctrl-C comes.
    half = "".join(line for line in listed.splitlines(keepends=True)[:300]).encode(errors="surrogateescape")
    with Started("map", *words, "--from", "-", cwd=tmp_path, stdin=subprocess.PIPE) as started:
        started.process.stdin.write(half)
        started.process.stdin.flush()
        until(lambda: lines(out) >= 100)
        os.killpg(started.process.pid, signal.SIGINT)
        started.process.wait(50)
        assert started.process.returncode == 130
    before = rows(out)
    assert 100 <= len(before) <= 300
    ended = shell("map", "--resume", *words, "--from", "files.txt", cwd=tmp_path)
    assert ended.returncode == 1, ended.stderr
    assert rows(out)[: len(before)] == before
    found = sorted(rows(out), key=lambda row: row["index"])
    assert [row["input"] for row in found] == listed.splitlines()
    errors = {os.path.basename(row["input"]): row["error"]["type"] for row in found if "error" in row}
    assert errors == {"broken.txt": "OSError", "image.txt": "words.NotText"}


def test_count_is_what_the_text_has(example, tmp_path):
    (tmp_path / "text").write_text("To be, or not to be: that is the question.")
    found = example.words.count(str(tmp_path / "text"))
    assert json.loads(json.dumps(found)) == found
    assert example.words.words("Cafe\N{COMBINING ACUTE ACCENT}s") == ["caf\N{LATIN SMALL LETTER E WITH ACUTE}s"]
    assert found == {"words": 10, "different": 8, "most": {"be": 2, "to": 2, "is": 1, "not": 1, "or": 1}}


def test_what_is_no_regular_file_is_not_waited_for(example, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(example.words.NotText, match="no regular file"):
        example.words.read(str(tmp_path / "pipe"))
    with open(tmp_path / "large", "wb") as file:
        file.truncate(example.words.LARGEST + 1)
    with pytest.raises(example.words.NotText, match="33,554,432 is the most"):
        example.words.read(str(tmp_path / "large"))


@pytest.mark.slow
@pytest.mark.bound(300)
def test_twenty_thousand_files(example, tmp_path):
    run("corpus", "--make", "20000", tmp_path / "texts")
    done = run("indexer", tmp_path / "texts", "-o", tmp_path / "index")
    assert done.stdout.startswith("20,000 files, ")
    texts = {str(path): path.read_text("latin-1").casefold() for path in (tmp_path / "texts").glob("*/*")}
    index = example.search.Index(str(tmp_path / "index"))
    for query, found in [
        ("asynchronous", [("asynchronous", r"\basynchronous\b")]),
        ('"file descriptor"', [("descriptor", r"\bfile\W+descriptor\b")]),
        ("deprecat* warnings", [("deprecat", r"\bdeprecat"), ("warnings", r"\bwarnings\b")]),
    ]:
        expected = {
            path
            for path, text in texts.items()
            if all(part in text and re.search(pattern, text) for part, pattern in found)  # the first is for speed alone
        }
        assert len(expected) > 10
        assert {hit.path for hit in index.search(query, 20_000)} == expected
    index.close()

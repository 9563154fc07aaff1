"""No call waits behind a long one while a worker is idle, and each is made exactly once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere import Pool, Retry, WorkerLost
from tests.contract.work import until
from tests.pool import taking_back

CALLS = 400
LONG = 150  # by then calls are known to be short, and a worker holds many
WAYS: dict[str, tuple[Callable[..., Any], Callable[[int], Any], Callable[[Any], int]]] = {
    "numbers": (taking_back.number, lambda n: n, lambda value: value),
    "texts": (taking_back.text, lambda n: n, int),
    "lists": (taking_back.from_list, lambda n: [n], lambda value: value[0]),
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for fifo in tmp_path.glob("block-*"):
        release(fifo)


def release(fifo: Path) -> None:
    """Let the call go on, if it is there."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:  # nobody has it open
        return


def runs(folder: Path) -> Counter[int]:
    return Counter(map(int, (folder / "runs").read_text().split()))


def pool(folder: Path, **options: Any) -> Pool:
    return Pool(2, taking_back.prepare, (str(folder),), **options)


@pytest.mark.parametrize("options", [{}, {"timeout": 60}, {"retry": 2}], ids=["plain", "timed", "retried"])
@pytest.mark.parametrize("way", WAYS)
def test_all_others_are_done_while_one_blocks(folder, way, options):
    function, item, number = WAYS[way]
    os.mkfifo(folder / f"block-{LONG}")
    with pool(folder, **options) as made:
        results = made.imap_unordered(function, [item(n) for n in range(CALLS)])
        others = [number(results.next(timeout=30)) for _ in range(CALLS - 1)]
        assert sorted(others) == [n for n in range(CALLS) if n != LONG]
        release(folder / f"block-{LONG}")
        assert number(results.next(timeout=30)) == LONG
    assert runs(folder) == Counter(range(CALLS))


@pytest.mark.parametrize("chunksize", [7, 50])
def test_a_chunk_is_no_reason_to_wait(folder, chunksize):
    os.mkfifo(folder / f"block-{LONG}")
    with pool(folder) as made:
        results = made.imap_unordered(taking_back.number, range(CALLS), chunksize)
        others = [results.next(timeout=30) for _ in range(CALLS - 1)]
        assert LONG not in others
        release(folder / f"block-{LONG}")
        assert results.next(timeout=30) == LONG
    assert runs(folder) == Counter(range(CALLS))


def test_submitted_calls_too(folder):
    os.mkfifo(folder / f"block-{LONG}")
    with pool(folder) as made:
        futures = [made.submit(taking_back.star, n, 0) for n in range(CALLS)]
        assert [future.result(30) for n, future in enumerate(futures) if n != LONG] == [
            n for n in range(CALLS) if n != LONG
        ]
        assert not futures[LONG].done()
        release(folder / f"block-{LONG}")
        assert futures[LONG].result(30) == LONG
    assert runs(folder) == Counter(range(CALLS))


def test_the_worker_is_given_others_when_it_is_back(folder):
    os.mkfifo(folder / f"block-{LONG}")
    with pool(folder) as made:
        results = made.imap_unordered(taking_back.number, range(CALLS))
        for _ in range(CALLS - 1):
            results.next(timeout=30)
        release(folder / f"block-{LONG}")
        assert results.next(timeout=30) == LONG
        (folder / f"block-{LONG}").unlink()
        for _ in range(3):
            assert made.map(taking_back.number, range(CALLS)) == list(range(CALLS))
        assert made.statistics().lost_workers == 0
    assert runs(folder) == Counter(dict.fromkeys(range(CALLS), 4))


@pytest.mark.parametrize("retry", [None, Retry(retries=2, on=(WorkerLost,))])
def test_the_worker_is_killed_after_its_calls_were_taken_back(folder, retry):
    """Its own call is lost, or runs again; those that were taken back are not blamed, nor made twice."""
    os.mkfifo(folder / f"block-{LONG}")
    with pool(folder, retry=retry) as made:
        results = made.imap_unordered(taking_back.number, range(CALLS), return_exceptions=True)
        for _ in range(CALLS - 1):
            assert isinstance(results.next(timeout=30), int)
        (running,) = made.statistics().running
        if retry is not None:
            os.rename(folder / f"block-{LONG}", folder / "gone")
        os.kill(running.worker, 9)
        last = results.next(timeout=30)
        assert last == LONG if retry else isinstance(last, WorkerLost)
    assert runs(folder) == Counter(range(CALLS)) + Counter({LONG: 1} if retry else {})


def test_cancelled_and_late_calls_among_those_behind(folder):
    os.mkfifo(folder / f"block-{LONG}")
    with pool(folder) as made:
        futures = [made.submit(taking_back.star, n, 0) for n in range(CALLS)]
        until((folder / "blocked").exists)
        cancelled = [n for n in range(LONG + 1, CALLS, 3) if futures[n].cancel()]
        for n, future in enumerate(futures):
            if n != LONG and n not in cancelled:
                assert future.result(30) == n
        release(folder / f"block-{LONG}")
        assert futures[LONG].result(30) == LONG
    made_calls = runs(folder)
    assert max(made_calls.values()) == 1
    assert set(range(CALLS)) - set(made_calls) <= set(cancelled)

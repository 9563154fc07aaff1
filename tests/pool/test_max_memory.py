"""`max_memory`: a worker that has grown too large is replaced between calls."""

from __future__ import annotations

import mmap
import os

import pytest

from elsewhere import Pool
from tests.contract.work import until
from tests.pool import work

METHODS = pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
MB = 1 << 20
kept: list[bytearray] = []


def grow(size: int) -> tuple[int, int]:
    """Keep so many bytes more; tells the pid and the bytes that are kept by now."""
    kept.append(bytearray(b"x") * size)
    return os.getpid(), sum(map(len, kept))


def grow_for_a_moment(size: int) -> int:
    return len(bytearray(b"x") * size) and os.getpid()


def map_shared(size: int) -> int:
    """Resident, and shared: does not count."""
    block = mmap.mmap(-1, size)
    block.write(b"x" * size)
    work.state["block"] = block
    return os.getpid()


def is_above(limit: int) -> bool:
    from elsewhere.runtime.worker.memory import resident

    return resident() > limit


@METHODS
def test_a_worker_above_it_is_replaced_between_calls(method):
    with Pool(1, context=method, max_memory=_now(method) + 200 * MB) as pool:
        found = pool.map(grow, [40 * MB] * 20, chunksize=1)
        pids = [pid for pid, _ in found]
        assert pool.statistics().lost_workers == 0
    lives = [pids.count(pid) for pid in dict.fromkeys(pids)]
    assert len(lives) >= 3
    assert max(lives) <= 7, "a chunk is in hand when it is noticed, no more"
    assert min(lives[:-1]) >= 3, "replaced too early"


def _now(method: str) -> int:
    """What a worker takes from the beginning: little, or what this process does of which it is a fork."""
    from elsewhere.runtime.worker.memory import resident

    return resident() if method == "fork" else 20 * MB


def test_no_call_is_lost_or_repeated(tmp_path):
    log = tmp_path / "log"
    with Pool(2, max_memory=80 * MB) as pool:
        results = list(pool.imap_unordered(grow_and_note, [(str(log), n) for n in range(300)]))
        assert pool.statistics().lost_workers == 0
    assert sorted(results) == list(range(300))
    lines = log.read_text().split()
    assert sorted(map(int, lines[1::2])) == list(range(300))
    assert len(set(lines[::2])) > 4


def grow_and_note(job: tuple[str, int]) -> int:
    path, number = job
    kept.append(bytearray(b"x") * MB)
    with open(path, "a") as file:
        file.write(f"{os.getpid()} {number}\n")
    return number


def test_what_is_freed_in_time_does_not_count():
    with Pool(1, max_memory=150 * MB) as pool:
        assert len({pool.apply(grow_for_a_moment, (300 * MB,)) for _ in range(3)}) == 1


def test_what_is_shared_does_not_count():
    with Pool(1, max_memory=100 * MB) as pool:
        assert len({pool.apply(map_shared, (300 * MB,)) for _ in range(3)}) == 1


def test_a_limit_that_each_worker_exceeds_gives_each_one_call():
    with Pool(2, max_memory=1) as pool:
        assert pool.map(work.square, range(10), chunksize=1) == [n * n for n in range(10)]
        until(lambda: pool.apply(work.pid) != pool.apply(work.pid), "a replacement")


def test_idle_workers_above_it_are_replaced_before_the_next_call():
    with Pool(1, max_memory=100 * MB) as pool:
        for _ in range(5):
            first, size = pool.apply(grow, (150 * MB,))
            assert size == 150 * MB
            assert pool.apply(is_above, (100 * MB,)) is False
            assert pool.apply(work.pid) != first


def test_with_maxtasksperchild():
    with Pool(1, maxtasksperchild=3, max_memory=100 * MB) as pool:
        small = [pool.apply(work.pid) for _ in range(6)]
        assert [small.count(pid) for pid in dict.fromkeys(small)] == [3, 3]
        large = [pool.apply(grow, (150 * MB,))[0] for _ in range(3)]
    assert len(set(large)) == 3


def test_the_initializer_s_memory_does_not_keep_a_pool_from_working():
    with Pool(1, grow, (150 * MB,), max_memory=100 * MB) as pool:
        assert pool.map(work.square, range(3), chunksize=1) == [0, 1, 4]


@pytest.mark.parametrize(
    ("limit", "kind"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("1G", TypeError), (True, TypeError)]
)
def test_something_that_is_no_number_of_bytes(limit, kind):
    with pytest.raises(kind, match="max_memory is a number of bytes"):
        Pool(1, max_memory=limit)


@pytest.mark.parametrize("where", ["threads", "loop", "inline"])
def test_it_needs_processes(where):
    with pytest.raises(ValueError, match="max_memory is for worker processes"):
        Pool(where=where, max_memory=MB)


def test_memory_is_seen_in_bytes():
    from elsewhere.runtime.worker import memory

    before = memory.resident()
    block = bytearray(b"x") * (50 * MB)
    assert 45 * MB < memory.resident() - before < 60 * MB
    assert memory._peak() >= len(block)


def test_it_is_looked_at_seldom_and_told_once(monkeypatch):
    from elsewhere.runtime.worker import memory

    looks = []
    monkeypatch.setattr(memory, "resident", lambda: looks.append(1) or len(looks))
    calls = 0
    look = memory.too_much(2, lambda: calls)
    assert not look(0), "before the first call"
    calls = 1
    times = range(0, 10 * memory.PAUSE_NS, memory.PAUSE_NS // 10)
    assert sum(look(now) for now in times) == 1
    assert len(looks) == 3

"""The page on scale: what its maker judges, and that the simulated pool is one in which no call gets lost."""

from __future__ import annotations

import pytest

from benchmarks.scale import __main__ as program
from benchmarks.scale.fleets import FLEETS, Fleet
from benchmarks.scale.loops import LOOPS
from benchmarks.scale.memory import KEPT, kept
from benchmarks.scale.page import page
from benchmarks.scale.peers import BELL, SimulatedPeer, Work
from benchmarks.scale.rows import Figures, Plan, measure, verdicts
from benchmarks.scale.world import Faults, World

SMALL = Plan((2, 256), 300, 1, 600, 100)


@pytest.fixture(scope="module")
def found() -> Figures:
    return measure(SMALL, lambda line: None)


def test_all_is_measured_and_on_the_page(found: Figures):
    assert found.cost.keys() == LOOPS.keys()
    assert found.memory.keys() == KEPT.keys()
    assert found.fleets.keys() == FLEETS.keys()
    text = page(found)
    for name in [*LOOPS, *KEPT]:
        assert f"| {name} |" in text
    for name, sizes in found.fleets.items():
        assert f"### {name[0].upper()}{name[1:]}" in text
        assert all(f"| {size:,} | {outcome.calls:,} | " in text for size, outcome in sizes.items())


def test_a_call_may_cost_a_third_more_with_many_workers():
    found = Figures({"a": {2: 1.0, 256: 1.3}, "b": {2: 1.0, 256: 1.31}}, {}, {})
    assert verdicts(found) == [("a", 1.3, True), ("b", 1.31, False)]


def test_a_run_takes_as_long_as_its_work_shared_out():
    fleet = Fleet(0.001, "constant", 1000)
    outcome = fleet.run(4, 4000)
    assert outcome.values == 4000
    assert outcome.ideal == pytest.approx(1.0)
    assert 1.0 <= outcome.makespan / outcome.ideal < 1.05


@pytest.mark.parametrize("window", [0, 12])
def test_each_call_has_one_outcome_whatever_goes_wrong(window: int):
    fleet = Fleet(0.01, "exponential", 1)
    work = Work(fleet.durations(2000), timeout=0.03)
    outcome = World(3, work, Faults(life=0.2, cancels=0.1), window=window).run()
    assert outcome.values + outcome.failed + outcome.cancelled == 2000
    assert min(outcome.values, outcome.failed, outcome.cancelled, outcome.lost) > 0


def test_the_page_has_the_same_figures_for_the_same_run():
    runs = [Fleet(0.01, "heavy-tailed", 50, ahead=4, timeout=5.0, life=100.0, cancels=0.05).run(5, 250) for _ in "ab"]
    for run in runs:
        run.cpu = 0.0
    assert runs[0] == runs[1]


def test_what_is_kept_is_counted():
    assert kept(KEPT["an idle worker"], 200) > 100
    assert kept(KEPT["a call that waits in a map or an imap"], 1_000_000) < 1


@pytest.mark.parametrize("words", [["--write", "--quick"], ["--zzz"]])
def test_wrong_usage_is_told(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        program.main(words)
    assert caught.value.code == 2


# ---- simulated workers -----------------------------------------------------------------------------------------------


def busy(durations: list[int], *runs: tuple[int, int]) -> tuple[SimulatedPeer, Work]:
    peer, work = SimulatedPeer(1), Work(durations)
    for lo, hi in runs:
        peer.hand(lo, hi, 0, 0)
    return peer, work


def test_a_worker_answers_in_time_and_rings_when_its_oldest_answer_is_old():
    peer, work = busy([BELL // 2] * 10, (0, 6))
    assert peer.rings(work) == 3 * BELL // 2
    peer.advance(work, 3 * BELL // 2)
    assert peer.untold == [(3, 3 * BELL // 2)]
    assert (peer.over, peer.started) == (3, 4)
    peer.untold.clear()
    assert peer.rings(work) == 3 * BELL


def test_a_worker_rings_when_it_has_nothing_left():
    peer, work = busy([10, 20, 30], (0, 2), (2, 3))
    assert peer.rings(work) == 60
    peer.advance(work, 60)
    assert peer.untold == [(2, 30), (1, 30)]
    assert not peer.runs


def test_a_worker_skips_what_it_is_told_to():
    peer, work = busy([10, 20, 30], (0, 3))
    peer.skip(2, 5)
    peer.advance(work, 15)
    assert peer.untold == [(1, 10), (0, 0)]
    peer.advance(work, 40)
    assert peer.untold == [(1, 10), (0, 0), (1, 30)]


def test_a_worker_goes_on_with_what_it_has_begun_and_has_answered_what_it_is_to_skip():
    peer, work = busy([10, 20, 30], (0, 3))
    peer.advance(work, 15)
    peer.skip(1, 15)
    peer.skip(2, 15)
    peer.advance(work, 60)
    assert peer.untold == [(1, 10), (2, 50)]


def test_a_worker_is_interrupted_in_its_present_call_alone():
    peer, work = busy([10, 20, 30], (0, 3))
    peer.advance(work, 12)
    assert not peer.interrupt(1, 12)
    assert peer.interrupt(2, 12)
    assert peer.untold == [(1, 10), (0, 2)]
    peer.advance(work, 42)
    assert peer.untold[-1] == (1, 30)


def test_a_recalled_worker_begins_no_other_call_until_it_has_heard_what_is_withdrawn():
    peer, work = busy([10] * 6, (0, 6))
    peer.advance(work, 15)
    peer.recall(15)
    peer.advance(work, 100)
    assert (peer.over, peer.started) == (2, 2)
    peer.withdraw(5, 200)
    assert [list(run) for run in peer.runs] == [[2, 4]]
    peer.advance(work, 215)
    assert (peer.over, peer.started) == (3, 4)

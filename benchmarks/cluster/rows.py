"""What is measured. Each row gives figures by contestant; `goals` says what they should be.

What a contestant's processes have used of the cores stands beside its name with ", CPU", and what hosts, scheduler and
workers have with ", CPU there".
"""

from __future__ import annotations

import contextlib
import json
import select
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from benchmarks.cluster.environments import PEERS, ROOT
from benchmarks.cluster.names import CPU, CROWD, NAMES, SENT, THERE
from benchmarks.cluster.yard import WORKERS, Cluster, Yard, cluster, loopback
from benchmarks.fleet.contest import Contestant, Failed, Took, in_turns, middle
from benchmarks.fleet.environments import environment
from benchmarks.scale.loops import LOOPS

Figures = dict[str, float]
POOLS = ("pool_dask", "dask", "dask_executor", "pool_fleet")
PATIENCE = 60.0  # seconds for a first result, and as many for the end of who had it


class Scale(NamedTuple):
    """How much is measured.

    Attributes:
        rounds: in each of which everybody has a turn.
        naps: calls that wait for a millisecond.
        burns: calls that use a core for one.
        trips: calls one after the other on a host; on Dask a fifth of it.
        megabytes: of the array.
        uses: calls that use it.
        decisions: of the scheduler, in each of its loops.
    """

    rounds: int
    naps: int
    burns: int
    trips: int
    megabytes: int
    uses: int
    decisions: int


QUICK, WHOLE = Scale(2, 2_000, 1_000, 200, 200, 100, 5_000), Scale(2, 20_000, 4_000, 500, 200, 100, 40_000)


def figures(found: dict[str, list[Took]], of: Callable[[float], float]) -> Figures:
    """Medians, by name; of what is used there, which is measured coarsely, means."""
    shown: Figures = {}
    for kind, took in found.items():
        if took:
            shown[NAMES[kind]] = of(middle(each.wall for each in took))
            shown[NAMES[kind] + CPU] = of(middle(each.cpu for each in took))
            if far := [each.far for each in took if each.far is not None]:
                shown[NAMES[kind] + THERE] = of(statistics.mean(far))  # the clock there has hundredths of a second
    return shown


def milliseconds(seconds: float) -> float:
    return 1e3 * seconds


@contextlib.contextmanager
def contestant(kind: str, config: dict[str, Any]) -> Iterator[Contestant]:
    """One that has opened what it works on; it closes it at the end."""
    found = Contestant(kind, config, module="benchmarks.cluster.clients", python=PEERS)
    try:
        found.line()
        found.ask("open")
        yield found
        with contextlib.suppress(Failed, OSError):
            found.ask("close")
    finally:
        found.end()


def opened(stack: contextlib.ExitStack, kinds: Iterable[str], config: dict[str, Any]) -> dict[str, Contestant]:
    """Those that can; why others cannot is said."""
    found = {}
    for kind in kinds:
        try:
            found[kind] = stack.enter_context(contestant(kind, config))
        except (Failed, OSError) as error:
            print(f"  {NAMES[kind]} is not there: {error}", flush=True)
    return found


def nap(ground: Yard, scale: Scale) -> Figures:
    """Seconds for 20,000 calls that wait a millisecond, over two workers of one thread."""
    return _many(ground, scale, "nap", scale.naps)


def burn(ground: Yard, scale: Scale) -> Figures:
    """Seconds for 4,000 calls that use a core for a millisecond, over two workers of one thread."""
    return _many(ground, scale, "burn", scale.burns)


def _many(ground: Yard, scale: Scale, name: str, calls: int) -> Figures:
    wanted = calls * (calls - 1) // 2
    with cluster(ground) as there, contextlib.ExitStack() as stack:
        whos = opened(stack, POOLS, ground.config | {"scheduler": there.address})

        def measure(kind: str) -> Took:
            place = ground if kind == "pool_fleet" else there
            return used(place, lambda kind: right(whos[kind].ask("many", name, calls), wanted))(kind)

        found = figures(in_turns(whos, scale.rounds, measure), float)
    return found | {"two workers that lose no time": calls * 1e-3 / len(WORKERS)}


def used(there: Cluster | Yard, measure: Callable[[str], Took]) -> Callable[[str], Took]:
    """Measure what is used of the cores there, too."""

    def both(kind: str) -> Took:
        before = there.used()
        took = measure(kind)
        return took._replace(far=there.used() - before)

    return both


def right(took: Took, wanted: object) -> Took:
    """Who finds something else is out."""
    if took.told != wanted:
        raise Failed(f"it found {took.told}, not {wanted}")
    return took._replace(told=None)


def call(ground: Yard, scale: Scale) -> Figures:
    """Milliseconds of ``abs(-1)`` there and back, one after the other, on what is open."""
    with cluster(ground) as there, contextlib.ExitStack() as stack:
        kinds = ("host_call", "host_submit", "cat", "python", "threaded", "dask", "pool_dask")
        whos = opened(stack, kinds, ground.config | {"scheduler": there.address})

        def measure(kind: str) -> Took:
            on_dask = "dask" in kind
            n, place = scale.trips // (5 if on_dask else 1), there if on_dask else ground
            took = used(place, lambda kind: right(whos[kind].ask("one", n), n))(kind)
            return Took(took.wall / n, took.cpu / n, None, (took.far or 0) / n)

        return figures(in_turns(whos, 2 * scale.rounds + 3, measure), milliseconds)


def cold(ground: Yard, scale: Scale) -> Figures:
    """Milliseconds from a program's start to the first result from a host; nothing is connected to, or runs there."""
    kinds = ("first_host", "first_sshcluster", "first_sshcluster_worker")
    for kind in kinds:  # so that nobody compiles
        with contextlib.suppress(Failed):
            first(ground, kind)

    def measure(kind: str) -> Took:
        ground.settle()
        return first(ground, kind)

    return figures(in_turns(kinds, scale.rounds + 3, measure), milliseconds)


def first(ground: Yard, kind: str) -> Took:
    """Up to the answer; the program's end is waited for, and not counted."""
    words = [str(PEERS), "-m", "benchmarks.cluster.cold", kind, json.dumps(ground.config)]
    began = time.perf_counter()
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=environment()
    ) as process:
        assert process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
            line = process.stdout.readline() if ready else b""
            wall = time.perf_counter() - began
            _, said = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise Failed("it does not end") from error
        finally:
            process.kill()
    if not line:
        raise Failed((said.decode(errors="replace").strip().splitlines() or ["nothing comes"])[-1])
    return right(Took(wall, **json.loads(line)), 1)


def array(ground: Yard, scale: Scale) -> Figures:
    """Seconds for one array of 200 MB that 100 calls use, from handing it over to the last result."""
    with cluster(ground) as there, contextlib.ExitStack() as stack:
        config = ground.config | {"scheduler": there.address}
        whos = opened(stack, ("pool_dask", "dask", "pool_fleet"), config)
        sent: dict[str, list[float]] = {kind: [] for kind in whos}
        wanted = float(sum(range(scale.uses)))

        def measure(kind: str) -> Took:
            before = loopback()
            place = ground if kind == "pool_fleet" else there
            took = used(place, lambda kind: right(whos[kind].ask("array", scale.megabytes, scale.uses), wanted))(kind)
            sent[kind].append(loopback() - before)
            return took

        found = figures(in_turns(whos, scale.rounds + 3, measure), float)
    # Whatever else goes over the loopback only adds to it.
    return found | {NAMES[kind] + SENT: min(each) / 1e6 / len(WORKERS) for kind, each in sent.items() if each}


def scale(ground: Yard, scale: Scale) -> Figures:
    """Microseconds of a core for a call, of the scheduler alone: between 2 simulated workers, and between 256."""
    found: Figures = {}
    for name, loop in LOOPS.items():
        turns = [[1e6 * loop(workers, scale.decisions) for workers in (2, 256)] for _ in range(scale.rounds + 1)]
        found[name], found[name + CROWD] = map(min, zip(*turns, strict=True))  # all else on these cores only adds
    return found


ROWS: dict[str, Callable[[Yard, Scale], Figures]] = {row.__name__: row for row in (nap, burn, call, cold, array, scale)}

"""The figures of a run as the page on scale."""

from __future__ import annotations

import os
import platform

from benchmarks.scale.fleets import MAP_HEAP
from benchmarks.scale.rows import GOAL, Figures, verdicts
from elsewhere.sansio.scheduling.credits import BUDGET

__all__ = ["page"]

HEAD = """# How far one pool goes

Written by `python -m benchmarks.scale --write`: the scheduler of a `Pool` alone, between simulated workers, up to
10,000 of them and 10,000,000 calls. It is the same machine that decides in every place a pool can work in (processes,
threads, hosts, Dask): events and the time go in, orders come out. Here nothing is started, pickled or sent.

- **Simulated**: workers that take calls one after the other, each as long as it was made to take; that ring when they
  have nothing left or when their oldest answer is 0.5 ms old (16 ms in a map, as in a pool); that start, die, give
  calls back, skip and are interrupted; 0.1 ms from an order to an idle worker's first call; late and cancelled calls.
- **Not simulated**: pickling, system calls, the network, and the futures of a pool. They cost more than the decision
  does (see [the pool's benchmarks](benchmarks.md)), and they grow with the calls, not with the workers.

CPU time of one core, {system}, Python {python}, {cores} cores. What is compared was measured in turns, in one process.
"""

COST = """
## What a call costs as workers grow

Microseconds of CPU for each call, from being added to its outcome, with the loop around it. A decision touches only the
worker it is about: idle workers, those with room and those that hold too much are in sets, timers are in a heap, and a
cancelled call is found by its job. Of several idle workers, the one that was busy last gets the call.

"""

GOAL_TEXT = """
With 256 workers a call may cost {goal} times what it costs with 2:

| | 256 workers / 2 workers | |
|---|--:|---|
"""

KEEP = """
## How many workers one decider can keep busy

The machine is one thread. When its core is full, workers wait. So many workers can be served by it alone if each call
is handed over by itself, or if calls travel in runs:

"""

KEEP_AFTER = """
A pool does not come that far, since the same core also pickles, sends and delivers, which costs several times as much.
**What breaks first is this**: short calls that are handed over one by one to very many workers. The cure is longer
calls, or a `map`, where a worker holds up to {held} ms of work and is spoken to that rarely.
"""

MEMORY = """
## What is kept

Bytes of the scheduler's own for each; arguments, results and futures are not its business.

"""

MEMORY_AFTER = """
A call that waits in a map is two numbers at the end of a range, whatever the map's length. Memory grows first with
calls of several functions that are submitted in turns, as each is a range of its own; there a call that is cancelled
*while it waits* also has to be looked for among them, which is the one thing here that grows with the queue.
"""

FLEETS_TEXT = """
## Whole runs

*Stretch* is how long the run took against the ideal: all work that was answered, shared out evenly (or its longest
call, if that is longer). *Decider* is the scheduler's CPU time for each second of the run: above 100 % it could not
have kept up. Durations are constant, exponential, or heavy-tailed (Pareto 1.5, cut at 100 times the mean). A map's
calls are all there at once; a stream is an imap that is 4 calls for each worker ahead. What goes wrong: each
worker dies after 1,000 calls on the average and is replaced, calls run out of time after 5 means, one in a hundred is
cancelled.

Where the stretch is far from 1, the run was short for so many workers: at its end they wait for the longest of the
calls that began last, and which that is nobody knows beforehand. What a worker holds behind a long call is taken back
(*taken back* counts how often), a call that runs is not.
"""

END = """
The outcomes of every run are counted: values, failures and cancelled calls are as many as there were calls.
"""


def page(found: Figures) -> str:
    """Markdown."""
    head = HEAD.format(cores=os.cpu_count(), system=platform.system(), python=platform.python_version())
    return "".join([head, *_cost(found), *_keep(found), *_memory(found), *_fleets(found), END])


def _cost(found: Figures) -> list[str]:
    sizes = list(next(iter(found.cost.values())))
    parts = [COST, "| workers |" + "".join(f" {size:,} |" for size in sizes), "\n|---|" + "--:|" * len(sizes) + "\n"]
    for name, cost in found.cost.items():
        parts.append(f"| {name} |" + "".join(f" {cost[size]:.2f} |" for size in sizes) + "\n")
    parts.append(GOAL_TEXT.format(goal=GOAL))
    for name, ratio, well in verdicts(found):
        parts.append(f"| {name} | {ratio:.2f} | {'yes' if well else '**no**'} |\n")
    return parts


def _keep(found: Figures) -> list[str]:
    alone = found.cost["an imap of long calls"]
    cost = alone[max(alone)] / 1e6
    runs = found.fleets["a map, 1 ms each"]
    most = runs[max(runs)]
    lone = [(seconds, _rounded(seconds / cost)) for seconds in (0.001, 0.01, 0.1, 1.0)]
    parts = [f"| calls of {seconds:g} s, each handed over by itself | {workers} |\n" for seconds, workers in lone]
    parts.append(f"| a map of calls of 0.001 s | {_rounded(most.makespan * most.peers / most.cpu)} |\n")
    return [KEEP, "| | workers |\n|---|--:|\n", *parts, KEEP_AFTER.format(held=int(BUDGET * 1000 * MAP_HEAP))]


def _rounded(number: float) -> str:
    """Two digits that count."""
    digits = len(str(int(number)))
    return f"{round(number, 2 - digits):,.0f}"


def _memory(found: Figures) -> list[str]:
    return [
        MEMORY,
        "| | bytes |\n|---|--:|\n",
        *(f"| {k} | {v:,.1f} |\n" for k, v in found.memory.items()),
        MEMORY_AFTER,
    ]


def _fleets(found: Figures) -> list[str]:
    parts = [FLEETS_TEXT]
    for name, sizes in found.fleets.items():
        parts.append(f"\n### {name[0].upper()}{name[1:]}\n\n")
        parts.append("| workers | calls | seconds | stretch | runs | CPU µs a call | decisions/s | decider | lost | ")
        parts.append("failed | cancelled | taken back |\n|--:|" + "--:|" * 11 + "\n")
        for size, outcome in sizes.items():
            decider = outcome.cpu / outcome.makespan
            parts.append(
                f"| {size:,} | {outcome.calls:,} | {outcome.makespan:.2f} | {outcome.makespan / outcome.ideal:.3f} "
                f"| {outcome.runs:,} | {outcome.cpu / outcome.calls * 1e6:.2f} | {outcome.events / outcome.cpu:,.0f} "
                f"| {decider:.1%} | {outcome.lost:,} | {outcome.failed:,} | {outcome.cancelled:,} "
                f"| {outcome.recalls:,} |\n"
            )
    return parts

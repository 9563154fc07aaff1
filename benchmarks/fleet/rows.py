"""What is measured. Each row gives figures by contestant; `goals` says what they should be.

What a contestant's processes have used of the cores stands beside its name with ", CPU", and what the hosts' have with
", CPU there".
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from benchmarks.fleet import files, many
from benchmarks.fleet.contest import Contestant, Failed, Took, contestant, in_turns, middle
from benchmarks.fleet.names import NAMES
from benchmarks.fleet.yard import Yard

Figures = dict[str, float]
COMMANDS = ("ours", "fabric", "asyncssh", "asyncssh_uvloop")


class Scale(NamedTuple):
    """How much is measured.

    Attributes:
        rounds: in each of which everybody has a turn.
        commands: on each host, where connections are open.
        megabytes: of the large file.
        files: of the tree.
        crowd: hosts in one process.
    """

    rounds: int
    commands: int
    megabytes: int
    files: int
    crowd: int


QUICK, WHOLE = Scale(3, 5, 200, 2_000, 200), Scale(7, 10, 200, 2_000, 1_000)


def figures(found: dict[str, list[Took]], of: Callable[[float], float]) -> Figures:
    """Medians, by name."""
    shown: Figures = {}
    for kind, took in found.items():
        shown[NAMES[kind]] = of(middle(each.wall for each in took))
        shown[f"{NAMES[kind]}, CPU"] = of(middle(each.cpu for each in took))
        if far := [each.far for each in took if each.far is not None]:
            shown[f"{NAMES[kind]}, CPU there"] = of(max(1e-3, middle(far)))
    return shown


def there(yard: Yard, measure: Callable[[str], Took], *, settled: bool = False) -> Callable[[str], Took]:
    """Measure what the hosts use, too; where connections do not stay open, until all have ended."""

    def both(kind: str) -> Took:
        before = yard.used(settled=settled)
        took = measure(kind)
        return took._replace(far=yard.used(settled=settled) - before)

    return both


def milliseconds(seconds: float) -> float:
    return 1e3 * seconds


def cold(yard: Yard, scale: Scale) -> Figures:
    """Milliseconds for `true` on fifty hosts, up to the last answer; each time in a new process. CPU with closing."""

    def measure(kind: str) -> Took:
        with contestant(kind, yard.config) as who:
            return who.ask("cold")

    return figures(in_turns(COMMANDS, scale.rounds, there(yard, measure, settled=True)), milliseconds)


def warm(yard: Yard, scale: Scale) -> Figures:
    """Commands a second on fifty open connections: `true` on all of them, again and again."""
    n = scale.commands * len(yard.server.hosts)
    return figures(_opened(yard, scale, "warm", scale.commands), lambda seconds: n / seconds)


def one(yard: Yard, scale: Scale) -> Figures:
    """Milliseconds of `true` on one open connection, one after the other."""
    n = 5 * scale.commands
    return figures(_opened(yard, scale, "one", n), lambda seconds: 1e3 * seconds / n)


def _opened(yard: Yard, scale: Scale, verb: str, argument: int) -> dict[str, list[Took]]:
    with contextlib.ExitStack() as stack:
        open_ones: dict[str, Contestant] = {}
        for kind in COMMANDS:
            with contextlib.suppress(Failed):
                who = stack.enter_context(contestant(kind, yard.config))
                who.ask("open")
                who.ask(verb, 2)  # the first time warms up
                open_ones[kind] = who
        measure = there(yard, lambda kind: open_ones[kind].ask(verb, argument))
        found = in_turns(open_ones, scale.rounds, measure)
        for who in open_ones.values():
            with contextlib.suppress(Failed):
                who.ask("close")
        return found


def new(yard: Yard, scale: Scale) -> Figures:
    """Milliseconds for a tree of 2,000 small files that is not there yet."""
    return _tree(yard, scale, files.New, ("ours", "tar", "rsync", "scp"))


def existing(yard: Yard, scale: Scale) -> Figures:
    """Milliseconds for a tree of 2,000 small files, all of which are other ones than are there."""
    return _tree(yard, scale, files.Existing, ("ours", "tar", "rsync"))


def again(yard: Yard, scale: Scale) -> Figures:
    """Milliseconds for a tree of 2,000 small files that is there already, unchanged."""
    return _tree(yard, scale, files.Again, ("ours", "rsync"))


def _tree(yard: Yard, scale: Scale, state: type[files.Tree], kinds: Iterable[str]) -> Figures:
    with contextlib.ExitStack() as stack:
        whos = {kind: stack.enter_context(contestant(kind, yard.config)) for kind in kinds}
        tree = stack.enter_context(state(yard, scale.files))
        return figures(in_turns(whos, scale.rounds, lambda kind: tree.measure(whos[kind])), milliseconds)


def put(yard: Yard, scale: Scale) -> Figures:
    """MB a second of one file of 200 MB, to a host."""
    return _large(yard, scale, "put")


def get(yard: Yard, scale: Scale) -> Figures:
    """MB a second of one file of 200 MB, from a host."""
    return _large(yard, scale, "get")


def _large(yard: Yard, scale: Scale, verb: str) -> Figures:
    kinds = ("ours", "fabric", "scp", "rsync", "asyncssh_uvloop")
    with contextlib.ExitStack() as stack:
        whos = {kind: stack.enter_context(contestant(kind, yard.config)) for kind in kinds}
        large = stack.enter_context(files.Large(yard, scale.megabytes))
        found = in_turns(whos, max(3, scale.rounds // 2), lambda kind: large.measure(whos[kind], verb))
    return figures(found, lambda seconds: scale.megabytes / seconds)


def crowd(yard: Yard, scale: Scale) -> Figures:
    """1,000 hosts, of which 20 are dead, 10 hang and 5 show another key than is known; and memory for each."""
    return many.measure(yard, scale.crowd)


ROWS: dict[str, Callable[[Yard, Scale], Figures]] = {
    row.__name__: row for row in (cold, warm, one, new, existing, again, put, get, crowd)
}

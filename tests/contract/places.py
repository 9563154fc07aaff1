"""The places that the suite runs on, and how they differ.

Rule: a documented difference is a property here, with a line in `docs/places.md` (`DOCUMENTED` names it), and a test
that says what happens instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from elsewhere import Pool
from tests.contract import work
from tests.contract.nearby import Nearby

WORKERS = 2


@dataclass(frozen=True)
class Place:
    """One place that a call can go to.

    Attributes:
        options: of the pools there.
        fixture: what gives the place's `where`, once it runs: a fixture of `yards.py`; none for places of this machine.
        isolated: calls have their own memory: arguments and results are copies, errors travel.
        beside: calls run while the caller goes on; else in the caller's thread, at once.
        parallel: plain functions run beside each other; on a loop only coroutine functions do.
        stops_running: a running call can be interrupted: `cancel`, deadlines.
        kills: one that does not let itself be interrupted is ended with its worker.
        inherits: workers have the caller's environment variables, folder and standard streams.
        trusted: what comes back may be whatever can be pickled, a function too.
        raw: what calls print is printed here as it is, with control characters and what is no text.
        whose: how the note on an error names the worker, as a regular expression.
        shown: how a pool's repr names the place, likewise.
        prefix: what stands before each line that calls print, likewise.
        slow: it is left out of `make test-fast`.
    """

    name: str
    options: dict[str, Any] = field(hash=False)
    fixture: str = ""
    isolated: bool = False
    beside: bool = True
    parallel: bool = True
    stops_running: bool = True
    kills: bool = False
    inherits: bool = True
    trusted: bool = True
    raw: bool = True
    whose: str = r"worker \d+$"
    shown: str = "processes"
    prefix: str = ""
    slow: bool = False

    def pool(self, processes: int | None = WORKERS, *args: Any, **options: Any) -> Pool:
        return Pool(processes, *args, **{**self.options, **options})

    @property
    def hold(self) -> Callable[..., Any]:
        """A function that waits at a gate, in the way that suits the place."""
        return work.hold if self.parallel or not self.beside else work.hold_async


NEARBY = Place(
    "nearby",
    {"where": Nearby()},
    isolated=True,
    kills=True,
    inherits=False,
    trusted=False,
    whose=r"worker \d+ on near$",
    shown="nearby",
    prefix=r"\[near\] ",
)
HOSTS = Place(
    "hosts",
    {},
    fixture="fleet",
    isolated=True,
    kills=True,
    inherits=False,
    trusted=False,
    raw=False,
    whose=r"worker \d+ on 127\.26\.0\.[12]$",
    shown="<Fleet.*>",
    prefix=r"\[127\.26\.0\.[12]\] ",
    slow=True,
)
DASK = Place(
    "dask",
    {},
    fixture="dask_address",
    isolated=True,
    kills=True,
    inherits=False,
    whose=r"worker \d+( on .*127\.26\.0\.[45]:\d+)?$",
    shown="dask://.*",
    slow=True,
)

# What differs, and the line of the table in docs/places.md that says so.
DIFFERENCES = {
    "isolated": "calls have their own memory: what goes in and comes out is copied",
    "beside": "calls run while the caller goes on",
    "parallel": "plain functions run beside each other",
    "stops_running": "`cancel`, `timeout` and `terminate` stop a call that runs",
    "kills": "one that does not let itself be interrupted is ended with its worker",
    "inherits": "workers have the caller's environment variables, folder, `sys.path` and standard streams",
    "trusted": "a result may be whatever can be pickled",
    "raw": "what calls print may have control characters",
}
PLACES = [
    Place("forkserver", {"context": "forkserver"}, isolated=True, kills=True),
    Place("spawn", {"context": "spawn"}, isolated=True, kills=True),
    Place("threads", {"where": "threads"}, stops_running=False, whose="thread ", shown="threads"),
    Place("loop", {"where": "loop"}, parallel=False, whose="slot ", shown="loop"),
    Place(
        "inline",
        {"where": "inline"},
        beside=False,
        parallel=False,
        stops_running=False,
        whose="the caller",
        shown="inline",
    ),
    NEARBY,
    HOSTS,
    DASK,
]

"""What a run must reach: each goal compares figures of that run. See `python -m benchmarks.rpc --help`."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.rpc.rows import Figures

OURS, LOOP = "elsewhere, threads", "elsewhere, loop"
ORIGINAL, BARE, RAW = "msgpack-rpc-python", "bare loop, a thread each", "raw sockets"


class Goal(NamedTuple):
    """One figure, as a multiple of another.

    Attributes:
        row: where both are.
        ours: whose figure.
        limit: times `theirs`: the least, or the most.
        theirs: whose it is compared with.
        least: more is better.
    """

    row: str
    ours: str
    limit: float
    theirs: str
    least: bool = False

    def verdict(self, figures: Figures) -> tuple[str, str, bool] | None:
        """What is wanted, what was reached, and whether that is well; None if something was not measured."""
        if self.ours not in figures or (self.theirs and self.theirs not in figures):
            return None
        ratio = figures[self.ours] / (figures[self.theirs] if self.theirs else 1)
        wanted = f"{self.ours}: {'≥' if self.least else '≤'} {self.limit:g}{f' x {self.theirs}' * bool(self.theirs)}"
        return wanted, f"{ratio:.3g}", ratio >= self.limit if self.least else ratio <= self.limit


GOALS = (
    Goal("sequential", OURS, 0.5, ORIGINAL),
    Goal("sequential", OURS, 1.3, BARE),
    Goal("sequential", OURS, 0.5, "RPyC"),
    Goal("sequential", OURS, 0.5, "Pyro5"),
    Goal("sequential", OURS, 0.5, "gRPC"),
    Goal("sequential", LOOP, 0.35, ORIGINAL),
    Goal("pipelined", OURS, 4, ORIGINAL, least=True),
    Goal("pipelined", OURS, 8, "RPyC", least=True),
    Goal("pipelined", OURS, 6, "aio-msgpack-rpc", least=True),
    Goal("pipelined", LOOP, 4, ORIGINAL, least=True),
    Goal("pipelined", LOOP, 8, "RPyC", least=True),
    Goal("pipelined", LOOP, 6, "aio-msgpack-rpc", least=True),
    Goal("back", OURS, 1.5, RAW),
    Goal("back", LOOP, 1.5, RAW),
    Goal("processes", "2 server processes", 1.8, "1 server process", least=True),
    *(
        goal
        for where in ("threads", "loop")
        for goal in (
            Goal("idle", f"{where}: memory of each, KB", 20, ""),
            Goal("idle", f"{where}: a call on the 5,001st, µs", 1.5, f"{where}: a call without them, µs"),
        )
    ),
    Goal("beside", "beside a CPU-bound one", 2, "idle"),
)

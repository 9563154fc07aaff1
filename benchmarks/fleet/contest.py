"""A contestant: a process of its own, which measures itself when it is told to."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fleet.environments import PEERS, ROOT, environment

PATIENCE = 300.0  # seconds for one measurement: a peer that hangs is a row without a figure


class Took(NamedTuple):
    """What something took.

    Attributes:
        wall: seconds.
        cpu: seconds of processor, user and system, of the contestant and the programs that it started.
        told: whatever else.
        far: seconds of processor of the hosts, if that was measured.
    """

    wall: float
    cpu: float
    told: Any = None
    far: float | None = None


class Failed(Exception):
    """It does not do this, or not here."""


class Contestant:
    """See the module.

    Args:
        kind: in `clients`.
        config: what it is told of the hosts.
        module: instead of `clients`.
        python: its interpreter; that of the peers by default.
        env: more of its environment.
        quiet: what it writes to stderr is thrown away.
    """

    def __init__(
        self,
        kind: str,
        config: dict[str, Any],
        *,
        module: str = "benchmarks.fleet.clients",
        python: Path | None = None,
        env: dict[str, str] | None = None,
        quiet: bool = False,
    ) -> None:
        self.process = subprocess.Popen(
            [str(python or PEERS), "-m", module, kind, json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            cwd=ROOT,
            env=environment() | (env or {}),
            start_new_session=True,  # it has no terminal
        )
        self._rest = b""

    def line(self, patience: float = PATIENCE) -> str:
        """The next line of its output; raises `Failed` at its end, or when it takes too long."""
        assert self.process.stdout is not None
        end = time.monotonic() + patience
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                raise Failed("nothing more comes")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def tell(self, verb: str, *arguments: Any) -> None:
        """Have it begin something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([verb, *arguments]).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, verb: str, *arguments: Any) -> Took:
        """Have it do something; raises `Failed` if it does not."""
        self.tell(verb, *arguments)
        found = json.loads(self.line())
        if "error" in found:
            raise Failed(found["error"])
        return Took(**found)

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@contextlib.contextmanager
def contestant(kind: str, config: dict[str, Any]) -> Iterator[Contestant]:
    """One that is ready."""
    found = Contestant(kind, config)
    try:
        found.line()
        yield found
    finally:
        found.end()


def in_turns(kinds: Iterable[str], rounds: int, measure: Callable[[str], Took]) -> dict[str, list[Took]]:
    """What each took in each round, one after the other; who fails once is out, and that is said."""
    found: dict[str, list[Took]] = {kind: [] for kind in kinds}
    for turn in range(rounds):
        for kind in list(found):
            try:
                found[kind].append(measure(kind))
            except (Failed, OSError) as error:
                print(f"  {kind} in round {turn + 1}: {error}", file=sys.stderr)
                del found[kind]
    return found


def middle(found: Iterable[float]) -> float:
    return statistics.median(found)

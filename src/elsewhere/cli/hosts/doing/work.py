"""Work on hosts, from the first look at the file of rows to the exit code; the same for every verb."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from elsewhere.cli.batch.destination import Wish
from elsewhere.cli.batch.output import Stream
from elsewhere.cli.batch.summary import count
from elsewhere.cli.ending import Problem, Signals, Stopped, WrongUsage, say, sentence
from elsewhere.cli.hosts.doing.endings import NotReached, code_of, code_of_all, is_well
from elsewhere.cli.hosts.doing.file import Rows, check, look, open_rows
from elsewhere.cli.hosts.doing.rows import Bare, RowsTo, is_terminal
from elsewhere.cli.hosts.doing.telling import told
from elsewhere.cli.hosts.doing.words import in_words
from elsewhere.errors import NotTouched
from elsewhere.fleet import Fleet, Host
from elsewhere.fleet.kinds import report
from elsewhere.fleet.output.base import Output
from elsewhere.fleet.output.grouped import Grouped
from elsewhere.fleet.output.live import Live, written
from elsewhere.fleet.output.summary import Summary, show
from elsewhere.sansio.hosts.many.plain import plain

__all__ = ["Do", "Plan", "Told", "Work"]

STDOUT, STDERR = 1, 2
PAUSE = 0.5  # seconds before a host is tried again, doubled each time


class Told(NamedTuple):
    """What a verb is given besides what it does.

    Attributes:
        outputs: who is told what happens.
        bar: is one drawn?
        several: are several hosts meant, though perhaps one is left?
        keeps: is what commands write asked for in the end?
    """

    outputs: Sequence[Output]
    bar: bool
    several: bool
    keeps: bool


Do = Callable[[Fleet, Told], Mapping[Host, Any]]  # the verb itself; gives all outcomes


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the command line asks for.

    Attributes:
        verb: its name.
        what: is done on each host, in a line, without secrets; the same line means that rows belong together.
        hosts: all of them.
        do: the verb.
        again: the command that goes on: with ``--resume`` where that is true, else for the hosts that are named.
        wish: what is said of rows.
        jobs, max_failures, retries: see the options.
        style: how output is shown: "live", "grouped", "json"; "told", a line in the end, or "silent".
        quiet: no bar and no notes.
        passes: what one host alone writes is passed on as it is, even to a terminal.
    """

    verb: str
    what: str
    hosts: Sequence[Host]
    do: Do
    again: Callable[[bool, Sequence[str]], str]
    wish: Wish
    jobs: int
    max_failures: int | None = None
    retries: int = 0
    style: str = "live"
    quiet: bool = False
    passes: bool = False

    @property
    def identity(self) -> str:
        """What rows are of."""
        return f"{self.verb}: {self.what}"


class Work:
    """A plan that is carried out.

    Args:
        plan: what to do.
        signals: hold what may not be cut in two.
    """

    def __init__(self, plan: Plan, signals: Signals) -> None:
        self.plan = plan
        self._signals = signals
        self._seen = Summary()
        self._rows: Rows | None = None
        self._left: list[Host] = list(plan.hosts)

    def run(self) -> int:
        """Do it.

        Returns:
            The exit code.

        Raises:
            Problem: it could not be done, or not to its end.
            Stopped: a signal ended it; nothing is left running on any host.
        """
        self._prepare()
        began = time.monotonic()
        try:
            results = self._done()
        except Stopped as stopped:
            self._say_stopped(f"stopped by {stopped.name}")
            raise
        except WrongUsage:
            raise
        except Problem as problem:
            problem.args = (f"{problem} {self._how_to_go_on(self._unfinished())}".rstrip(),)
            raise
        return self._finish(results, time.monotonic() - began)

    def describe(self, lines: Mapping[str, str]) -> list[str]:
        """What would be done where, connecting to none; and what is there already.

        Args:
            lines: what is said first, by its heading.
        """
        check(self.plan.wish)
        before = look(self.plan.wish, self.plan.identity)
        left = [host for host in self.plan.hosts if str(host) not in before.done]
        many = count(len(self.plan.hosts), "host")
        if before.done:
            many += f", {len(left):,} of them left"
        if len(left) > self.plan.jobs:
            many += f", {self.plan.jobs} at once"
        found = [f"{heading:9} {text}" for heading, text in {self.plan.verb: self.plan.what, **lines}.items()]
        width = max((len(str(host)) for host in left), default=0)
        return [
            *found, f"{'hosts':9} {many}", *(f"{'':9} {host!s:{width}}  {_way(host)}" for host in left),
        ]  # fmt: skip

    # ---- the work ----------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        check(self.plan.wish)
        if self.plan.wish.output is None:
            return
        self._rows = open_rows(self.plan.wish, self.plan.identity, self._note)
        done = self._rows.before.done
        if done:
            self._left = [host for host in self.plan.hosts if str(host) not in done]
            kept = len(self.plan.hosts) - len(self._left)
            self._note(f"{kept:,} of {count(len(self.plan.hosts), 'host')} have a row, {len(self._left):,} to go.")

    def _done(self) -> Mapping[Host, Any]:
        plan = self.plan
        retry = NotReached(plan.retries, backoff=PAUSE) if plan.retries else None
        try:
            if not self._left:
                return {}
            with Fleet(*self._left, jobs=plan.jobs, max_failures=plan.max_failures) as fleet:
                return plan.do(fleet.options(retry=retry), self._told())
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Problem(sentence(f"what hosts say cannot be shown: {error.strerror or error}")) from None
        except (TypeError, ValueError) as error:
            raise WrongUsage(in_words(error)) from None
        finally:
            if self._rows is not None:
                with self._signals.held():
                    self._rows.sink.close()

    def _told(self) -> Told:
        plan, shown = self.plan, self._shown()
        # Lines on a terminal are progress enough, and a bar between them would be torn by them.
        lines = is_terminal(STDOUT) and self._rows is None and isinstance(shown, Live | RowsTo)
        drawn = not plan.quiet and not lines
        several = len(plan.hosts) > 1
        outputs = [self._seen] if shown is None else [self._seen, shown]
        alone = shown is None and is_terminal(STDERR)  # of one host only copies have one, which counts bytes
        keeps = several or not isinstance(shown, Bare | Live)
        return Told(outputs, bar=drawn and (several or alone), several=several, keeps=keeps)

    def _shown(self) -> Output | None:
        plan = self.plan
        if self._rows is not None:
            return RowsTo(self._rows.sink)
        if plan.style == "json":
            return RowsTo(Stream(STDOUT, "stdout"))
        if plan.style == "grouped":
            return Grouped()
        if plan.style in {"told", "silent"}:
            return None  # it is said behind the bar
        if len(plan.hosts) > 1:
            return Live()
        if plan.passes or not is_terminal(STDOUT):
            return Bare(Stream(STDOUT, "stdout"), Stream(STDERR, "stderr"))
        return Live(bare=True)

    # ---- the end -----------------------------------------------------------------------------------------------------

    def _finish(self, results: Mapping[Host, Any], took: float) -> int:
        outcomes = list(results.values())
        if self.plan.style == "told" and self._rows is None and not (self.plan.quiet and self.plan.verb != "run"):
            self._say_lines(results)
        if len(self.plan.hosts) == 1 and self._rows is None:
            return self._finish_one(outcomes[0])
        failed = {host: outcome for host, outcome in results.items() if not is_well(outcome)}
        if failed:
            say(f"elsewhere: {in_words(report(self.plan.verb, results))}")
        elif not self.plan.quiet and is_terminal(STDERR) and len(self.plan.hosts) > 1:
            show(results, self._seen.seconds, sys.stderr, took=took)
        untouched = [str(host) for host, outcome in results.items() if isinstance(outcome, NotTouched)]
        if untouched:
            say(f"elsewhere: stopped, as --max-failures asks. {self._how_to_go_on(untouched)}")
        earlier = len(self._rows.before.failed & set(map(str, self.plan.hosts))) if self._rows is not None else 0
        if earlier:
            say(f"elsewhere: {count(earlier, 'row')} of an earlier run failed: --retry-failed runs them again.")
        if len(self.plan.hosts) == 1 and outcomes:
            return code_of(outcomes[0])
        return 1 if earlier else code_of_all(outcomes)

    def _say_lines(self, results: Mapping[Host, Any]) -> None:
        lines = [
            (f"[{plain(str(host))}] " if len(self.plan.hosts) > 1 else "") + told(outcome)
            for host, outcome in results.items()
            if is_well(outcome)
        ]
        written(sys.stdout, "".join(f"{line}\n" for line in lines))

    def _finish_one(self, outcome: Any) -> int:
        if isinstance(outcome, BaseException) and not hasattr(outcome, "result"):  # a command speaks for itself
            say(f"elsewhere: {plain(' '.join(in_words(outcome).split()))}")
        return code_of(outcome)

    def _unfinished(self) -> list[str]:
        return [str(host) for host in self._left if host not in self._seen.outcomes]

    def _say_stopped(self, how: str) -> None:
        if len(self.plan.hosts) == 1 and self._rows is None:
            return
        done = f"{len(self.plan.hosts) - len(self._unfinished()):,} of {count(len(self.plan.hosts), 'host')}"
        say(f"elsewhere: {how} after {done}. {self._how_to_go_on(self._unfinished())}")

    def _how_to_go_on(self, left: Sequence[str]) -> str:
        can_resume = self._rows is not None and self._rows.can_resume
        return f"To go on: {self.plan.again(can_resume, left)}" if left else ""

    def _note(self, text: str) -> None:
        if not self.plan.quiet:
            say(f"elsewhere: {text}")


def _way(host: Host) -> str:
    settings = host.settings
    over = "".join(f", over {jump.address}" for jump in settings.jumps)
    return f"{settings.address}{over}"

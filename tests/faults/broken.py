"""Pools that break our promises on purpose: what looks for hangs, losses and leftovers must find them here."""

from __future__ import annotations

import subprocess
import threading
from typing import Any

from benchmarks.faults.guilty import GUILTY
from benchmarks.faults.libraries import Elsewhere, Run


class NeverTells(Elsewhere):
    """A call that fails is never told: the waiting for it goes on for ever."""

    def by_submit(self, run: Run) -> None:
        from elsewhere import Future

        Future.result = never_raise(Future.result)  # type: ignore[method-assign]  # this is how it is broken
        super().by_submit(run)

    def by_map(self, run: Run) -> None:
        run.all_at_once(wait_for_ever)


def wait_for_ever() -> list[Any]:
    threading.Event().wait()
    return []


def never_raise(result: Any) -> Any:
    def broken(future: Any, timeout: float | None = None) -> Any:
        if future.exception(timeout) is None:
            return result(future, timeout)
        future.done = lambda: False
        raise TimeoutError

    return broken


class TakesAnother(Elsewhere):
    """The loss of one call takes another's result with it."""

    def by_map(self, run: Run) -> None:
        run.all_at_once(lambda: self.without_one(run))

    def without_one(self, run: Run) -> list[Any]:
        values: list[Any] = self._view(run).map(run.fn, run.inputs, return_exceptions=True)
        values[GUILTY + 5] = values[GUILTY]
        return values


class LeavesProcesses(Elsewhere):
    """A program that a worker started lives on without it."""

    def warm(self, fn: Any) -> None:
        super().warm(fn)
        self.pool.submit(start_sleeper).result()


def start_sleeper() -> None:
    subprocess.Popen(["sleep", "100"], start_new_session=True)  # the runner finds it by its environment, and ends it

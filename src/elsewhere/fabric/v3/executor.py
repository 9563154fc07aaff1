"""Tasks on their hosts."""

from __future__ import annotations

import contextvars
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

from elsewhere.fabric.v3.exceptions import NothingToDo
from elsewhere.fabric.v3.invoke.executor import Executor as InvokeExecutor
from elsewhere.fabric.v3.invoke.tasks import Call
from elsewhere.fabric.v3.invoke.tasks import Task as InvokeTask
from elsewhere.fabric.v3.tasks import ConnectionCall, Task

__all__ = ["Executor"]


class Executor(InvokeExecutor):
    """See invoke's."""

    def execute(self, *tasks: Any) -> dict[Any, Any]:
        """See invoke's; with ``--jobs``, the hosts of one task side by side.

        Raises:
            Exception: what a task has raised; that of the first host of several, after all have ended.
        """
        jobs = self.core[0].args["jobs"].value if self.core is not None else None
        if not jobs:
            return super().execute(*tasks)
        results = {}
        for calls in _together(self.expand_calls(self.normalize(tasks))):
            results[calls[0].task] = self._side_by_side(calls, len(calls) if jobs is True else int(jobs))
        return results

    def _side_by_side(self, calls: list[Call], jobs: int) -> Any:
        def work(call: Call) -> Any:
            return Executor(self.collection, self.config.clone(), self.core).run_call(call)

        with ThreadPoolExecutor(max_workers=max(1, jobs), thread_name_prefix="fab") as pool:
            futures = [pool.submit(contextvars.copy_context().run, work, call) for call in calls]
        return [future.result() for future in futures][-1]

    def normalize_hosts(self, hosts: Any) -> list[dict[str, Any]]:
        """Hosts as what a `Connection` is made of."""
        return [dict(each) if isinstance(each, dict) else {"host": each} for each in hosts or []]

    def expand_calls(self, calls: Any, apply_hosts: bool = True) -> list[Call]:
        """With those before and after, once; and once for each host.

        Raises:
            NothingToDo: a command is to be run, and no host is named.
        """
        found: list[Call] = []
        named = (self.core[0].args["hosts"].value or "").split(",") if apply_hosts else []
        hosts = [each for each in named if each]
        for each in calls:
            call = Call(each) if isinstance(each, InvokeTask) else each
            found += self.expand_calls(call.pre, apply_hosts=False)
            where = self.normalize_hosts(hosts or getattr(call, "hosts", None))
            found += [self.parameterize(call, host) for host in where] or [call]
            found += self.expand_calls(call.post, apply_hosts=False)
        if apply_hosts and self.core.remainder:
            found += self._remainder(hosts)
        return found

    def _remainder(self, hosts: list[str]) -> list[Call]:
        if not hosts:
            raise NothingToDo("Was told to run a command, but not given any hosts to run it on!")
        command = self.core.remainder

        def anonymous(c: Any) -> None:
            c.run(command)

        return [self.parameterize(Call(Task(body=anonymous)), host) for host in self.normalize_hosts(hosts)]

    def parameterize(self, call: Call, connection_init_kwargs: dict[str, Any]) -> Call:
        """The call for one host."""
        return call.clone(into=ConnectionCall, with_={"init_kwargs": connection_init_kwargs})

    def dedupe(self, calls: list[Call]) -> list[Call]:
        """All of them: the same task on other hosts is no repetition."""
        return calls


def _together(calls: Iterable[Call]) -> Iterator[list[Call]]:
    """Runs of calls that are the same but for the host."""
    for _, group in groupby(calls, key=lambda call: (id(call.task), repr(call.args), repr(call.kwargs))):
        yield list(group)

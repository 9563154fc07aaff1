"""One verb on many hosts: so many at once, each tried as often as it may be, all outcomes kept.

Rule: whatever happens, each host is accounted for: by its result, its exception, as interrupted, or as not touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from elsewhere.errors import ConnectionLost, ElsewhereError, InternalError, MayHaveRun, NotTouched
from elsewhere.fleet.commands.run import Sink
from elsewhere.fleet.host import Host
from elsewhere.fleet.kinds import report
from elsewhere.fleet.many.plan import Plan
from elsewhere.fleet.output.courier import Courier
from elsewhere.fleet.results import FleetError
from elsewhere.sansio.hosts.many.rolling import Rolling

__all__ = ["Sink", "Together"]


class Together:
    """A verb under way.

    Args:
        verb: its name, for messages.
        hosts: each once.
        work: what is done on one; is given a sink for what a command writes, if anybody looks at it.
        plan: how.
        courier: tells those who look; None if nobody does.
    """

    def __init__(
        self,
        verb: str,
        hosts: Sequence[Host],
        work: Callable[[Host, Sink | None], Coroutine[Any, Any, Any]],
        plan: Plan,
        courier: Courier | None = None,
    ) -> None:
        self._verb = verb
        self._hosts = hosts
        self._work = work
        self._plan = plan
        self._courier = courier
        self._rolling = Rolling(len(hosts), plan.jobs, plan.max_failures)
        self._outcomes: dict[int, Any] = {}

    async def run(self, *, return_exceptions: bool) -> dict[Host, Any]:
        """Do it; returns when all have ended.

        Raises:
            FleetError: some have failed.
            OSError, Exception: what is to be shown cannot be; all that ran was ended.
        """
        try:
            if self._courier is None:
                await self._all()
            else:
                await self._shown(self._courier)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.tell(error)
            raise
        results = self.results()
        if not return_exceptions and any(isinstance(outcome, Exception) for outcome in results.values()):
            raise FleetError(report(self._verb, results), results)
        return results

    def results(self) -> dict[Host, Any]:
        """All hosts with their outcomes so far, in the fleet's order."""
        return {host: self._outcome(index, host) for index, host in enumerate(self._hosts)}

    def tell(self, error: BaseException) -> None:
        """Let an error that ends the whole know what there is so far, as its ``results``."""
        if not hasattr(error, "results"):
            with contextlib.suppress(AttributeError, TypeError):
                error.results = self.results()  # type: ignore[attr-defined]  # any exception, KeyboardInterrupt too

    @property
    def shown(self) -> bool:
        """Does anybody look?"""
        return self._courier is not None

    def abandon(self) -> None:
        """It is over; if it was cancelled before it began, whoever looks learns it here."""
        if self._courier is not None:
            self._courier.abandon()

    def _outcome(self, index: int, host: Host) -> Any:
        if index in self._outcomes:
            return self._outcomes[index]
        if index >= self._rolling.untouched.start:
            failed = self._rolling.failed
            others = "another one" if failed == 1 else f"{failed:,} others"
            why = f"{others} had failed" if self._rolling.stopped else "the work was ended"
            return NotTouched(f"{host}: was not touched: {why} before its turn")
        return MayHaveRun(f"{host}: {self._verb} was interrupted, and ended there")

    async def _shown(self, courier: Courier) -> None:
        """`_all`, ended early where what it tells cannot be shown."""
        whole = asyncio.create_task(self._all())
        loop = asyncio.get_running_loop()
        courier.begin(lambda: loop.call_soon_threadsafe(whole.cancel))
        try:
            await whole
        except asyncio.CancelledError:
            await courier.end(interrupted=True)
            if courier.error is None:
                raise
        except BaseException:
            await courier.end(interrupted=True)
            raise
        else:
            await courier.end()
        if courier.error is not None:
            raise courier.error

    async def _all(self) -> None:
        async with asyncio.TaskGroup() as group:

            async def one(index: int) -> None:
                failed = await self._one(index)
                for following in self._rolling.ended(index, failed=failed):
                    group.create_task(one(following))

            for index in self._rolling.begin():
                group.create_task(one(index))

    async def _one(self, index: int) -> bool:
        """A host's whole turn; has it failed?"""
        host, courier = self._hosts[index], self._courier
        sink = None if courier is None else courier.sink(host)
        began = time.monotonic()
        outcome = _bare(await self._tries(host, sink))
        self._outcomes[index] = outcome
        if courier is not None:
            courier.ended(host, outcome, time.monotonic() - began)
        return isinstance(outcome, Exception)

    async def _tries(self, host: Host, sink: Sink | None) -> Any:
        retry, failures = self._plan.retry, 0
        while True:
            try:
                return await self._work(host, sink)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                error: Exception = ConnectionLost(f"{host}: {self._verb} may have run: the connection was closed")
            except Exception as caught:  # noqa: BLE001 - each host's failure is an outcome, whatever it is
                error = caught
            failures += 1
            if retry is None or not retry.wants(error, failures):
                return error
            await asyncio.sleep(retry.delay(failures))
            if self._rolling.stopped:
                return error


def _bare(outcome: Any) -> Any:
    """An outcome without its traceback, if it is an error of ours: the text says all.

    Our own frames are nobody's, and those of a thousand hosts would keep all that is in them: connections, and what
    commands were given.
    """
    if isinstance(outcome, ElsewhereError) and not isinstance(outcome, InternalError):
        error: BaseException | None = outcome
        while error is not None:
            error.__traceback__ = None
            error = error.__cause__ or error.__context__
    return outcome

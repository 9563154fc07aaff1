"""The place that `Pool(where="dask...")` asks for: it connects, looks round, and makes the driver."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

from elsewhere.cluster import connecting
from elsewhere.cluster.desk import Desk
from elsewhere.cluster.driver import DaskDriver
from elsewhere.cluster.programs import Programs
from elsewhere.errors import ConnectError
from elsewhere.pool.places import Wanted
from elsewhere.runtime.cpus import available
from elsewhere.runtime.far.opening import Opening
from elsewhere.runtime.far.packing import Packer
from elsewhere.sansio.scheduling.credits import BUDGET
from elsewhere.sansio.scheduling.scheduler import Scheduler

__all__ = ["DaskPlace"]

LOCAL = "dask"
_log = logging.getLogger("elsewhere")


class DaskPlace:
    """A Dask cluster.

    Args:
        where: "dask" for one that is started here, "dask://host:8786", "dask+tls://host:8786", a `distributed.Client`
            or a Cluster object.

    Raises:
        ImportError: distributed is not installed; says how to.
        ValueError: it is no address.
    """

    def __init__(self, where: Any) -> None:
        try:
            import distributed  # noqa: F401 - only to say early that it is missing
        except ImportError as error:
            text = f"calls on Dask need distributed ({error}): python -m pip install 'elsewhere[dask]'"
            raise ImportError(text, name="distributed") from None
        self._where = where
        self._target = connecting.parse(where) if isinstance(where, str) and where != LOCAL else None

    def __repr__(self) -> str:
        return self._where if isinstance(self._where, str) else repr(self._where)

    def __elsewhere_place__(self, wanted: Wanted) -> DaskDriver:
        """The driver of a pool's calls there; connected, and with an eye on the cluster.

        Raises:
            ConnectError: there is no scheduler.
            WorkerStartError: the programs of a cluster here do not start.
            ValueError: an option that is not for clusters.
        """
        wanted.refuse_what_is_local(repr(self))
        packer = Packer(sources=False)
        with contextlib.ExitStack() as undo:
            client, size, ours, mend = self._client(wanted, undo)
            cores = _cores(client, repr(self))
            here = sum(cores.values())
            if not here:
                _log.warning("elsewhere: %r has no workers yet; calls wait for them", self)
            desk = Desk(client, wanted.name, ours=ours, mend=mend)
            undo.callback(desk.close)
            scheduler = Scheduler(
                here if size is None else min(size, here), lifetime=wanted.lifetime, grace=wanted.grace, budget=BUDGET
            )
            driver = DaskDriver(
                scheduler,
                wanted.name,
                desk=desk,
                cores=cores,
                size=size,
                packer=packer,
                opening=Opening(packer.shipped, packer.own, trust=True),  # Dask itself unpickles what its workers send
                initializer=wanted.initializer,
                initargs=wanted.initargs,
            )
            driver.give_back = undo.pop_all().close
            return driver

    def _client(
        self, wanted: Wanted, undo: contextlib.ExitStack
    ) -> tuple[Any, int | None, bool, Callable[[], None] | None]:
        """A client that is connected, how many calls may run at once, and `ours` and `mend` of `Desk`."""
        if self._target is not None:
            client, ours = connecting.connect(self._target), True
        elif self._where == LOCAL:
            size = wanted.size or available()
            programs = Programs(size)
            undo.callback(programs.close)
            programs.join_up()
            target = connecting.Target(programs.address, None, programs.address)
            client = connecting.connect(target)
            undo.callback(_close, client)
            return client, size, True, programs.mend
        else:
            client, ours = connecting.of_object(self._where)
        if ours:
            undo.callback(_close, client)
        return client, wanted.size, ours, None


def _close(client: Any) -> None:
    with contextlib.suppress(Exception):
        client.close(timeout=2)


def _cores(client: Any, shown: str) -> dict[str, int]:
    try:
        return dict(client.nthreads())
    except OSError as error:
        raise ConnectError(f"the Dask scheduler of {shown} does not answer: {error}", address=shown) from error

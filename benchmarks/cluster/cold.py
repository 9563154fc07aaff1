"""From nothing to the first result: ``python -m benchmarks.cluster.cold KIND CONFIG`` says it, and ends.

It is timed from its start by who starts it, so that it has loaded nothing that it does not need.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Config = dict[str, Any]


@contextmanager
def ours(config: Config) -> Iterator[int]:
    """A host on which is nothing but Python."""
    from benchmarks.cluster.kinds.ours import options
    from elsewhere.fleet import Host

    host: Any = Host(config["hosts"][0], **options(config))
    with host:
        yield host.call(abs, -1)


@contextmanager
def sshcluster(config: Config, worker: str = "distributed.Nanny") -> Iterator[int]:
    """Dask's: its scheduler on one host, a worker on the other, where distributed is installed."""
    from distributed import Client, SSHCluster

    from benchmarks.cluster.kinds.bare import connect_options

    first, there = config["hosts"]
    cluster = SSHCluster(
        [first, there],
        connect_options=connect_options(config),
        worker_options={"nthreads": 1, "host": there, "dashboard_address": f"{there}:0"},
        scheduler_options={"port": 0, "host": first, "dashboard_address": f"{first}:0"},
        worker_class=worker,
        remote_python=config["python"],
    )
    with cluster, Client(cluster) as client:
        yield client.submit(abs, -1, pure=False).result()


@contextmanager
def without_nanny(config: Config) -> Iterator[int]:
    """The same with workers that nobody watches, which begin sooner."""
    with sshcluster(config, "distributed.Worker") as found:
        yield found


KINDS: dict[str, Callable[[Config], Any]] = {
    "first_host": ours,
    "first_sshcluster": sshcluster,
    "first_sshcluster_worker": without_nanny,
}


def main() -> None:
    # What is said to nobody in particular must not stand before the answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    name, config = sys.argv[1:]
    with KINDS[name](json.loads(config)) as found:
        print(json.dumps({"told": found, "cpu": time.process_time()}), file=answers)


if __name__ == "__main__":
    main()

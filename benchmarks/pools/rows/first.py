"""The first result of a new pool, and of a second one in the same program: a script of its own for each peer.

Rule: a script is what a user writes who follows that library's manual, no more: its workers may import the script
again, so what the script imports counts. The function is a lambda wherever the library takes one. The clock starts
before the pool is made; what importing the library costs is a figure of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from peers import WORKERS, Peer

from rows import Ask, Figure, Group, Row


class Script(NamedTuple):
    """How a library is imported, its pool made, asked `FN` of 1, and left."""

    load: str
    make: str
    ask: str
    leave: str = ""
    takes_lambda: bool = True


CONTEXT = "multiprocessing.get_context('{}')"
SCRIPTS = {
    "elsewhere": Script(
        "from elsewhere import Pool", "pool = Pool(WORKERS)", "pool.apply(FN, (1,))", "pool.close(); pool.join()"
    ),
    "mp": Script(
        "import multiprocessing, multiprocessing.pool",
        f"pool = {CONTEXT.format('forkserver')}.Pool(WORKERS)",
        "pool.apply(FN, (1,))",
        "pool.close(); pool.join()",
        takes_lambda=False,
    ),
    "fork": Script(
        "import multiprocessing, multiprocessing.pool",
        f"pool = {CONTEXT.format('fork')}.Pool(WORKERS)",
        "pool.apply(FN, (1,))",
        "pool.close(); pool.join()",
        takes_lambda=False,
    ),
    "ppe": Script(
        "import multiprocessing; from concurrent.futures import ProcessPoolExecutor",
        f"pool = ProcessPoolExecutor(WORKERS, mp_context={CONTEXT.format('forkserver')})",
        "pool.submit(FN, 1).result()",
        "pool.shutdown()",
        takes_lambda=False,
    ),
    "loky": Script(
        "from loky import ProcessPoolExecutor",
        "pool = ProcessPoolExecutor(WORKERS)",
        "pool.submit(FN, 1).result()",
        "pool.shutdown()",
    ),
    "joblib": Script(
        "from joblib import Parallel, delayed", "pool = Parallel(n_jobs=WORKERS)", "pool([delayed(FN)(1)])[0]"
    ),
    "mpire": Script(
        "from mpire import WorkerPool",
        "pool = WorkerPool(n_jobs=WORKERS)",
        "list(pool.imap_unordered(FN, [1]))[0]",
        "pool.stop_and_join()",
    ),
    "pebble": Script(
        "from pebble import ProcessPool",
        "pool = ProcessPool(max_workers=WORKERS)",
        "pool.schedule(FN, args=[1]).result()",
        "pool.close(); pool.join()",
        takes_lambda=False,
    ),
    "ray": Script(
        "import ray",
        "pool = ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level='error', "
        "_temp_dir=FOLDER)",
        "ray.get(ray.remote(FN).remote(1))",
        "ray.shutdown()",
    ),
}
# The second pool is made while the first is there; the third when both have been left.
TEXT = """
import time
{top}
def named(number):
    return number + 1

def main(FOLDER):
    import json, sys
    WORKERS = {workers}
    FN = {fn}
    times = {{}}
    begin = time.perf_counter()
    {load}
    times["import"] = time.perf_counter() - begin
    for name in {names}:
        begin = time.perf_counter()
        {make}
        assert {ask} == 2
        times[name] = time.perf_counter() - begin
        if name == "first":
            kept = pool
            if {leaves_first}:
                {leave}
        else:
            {leave}
            if name == "second":
                pool = kept
                {leave}
    print(json.dumps(times), flush=True)

if __name__ == "__main__":
    import sys
    main(sys.argv[1])
"""


def script(key: str, top: str) -> str:
    parts = SCRIPTS[key]
    single = key == "ray"  # one cluster in a program at a time
    return TEXT.format(
        top=top,
        workers=WORKERS,
        fn="lambda number: number + 1" if parts.takes_lambda else "named",
        names=["first", "later"] if single else ["first", "second", "later"],
        leaves_first=single,
        load=parts.load,
        make=parts.make,
        ask=parts.ask,
        leave=parts.leave or "pass",
    )


def measure(kind: type[Peer], ask: Ask) -> Iterator[Figure]:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    with tempfile.TemporaryDirectory(prefix="first", ignore_cleanup_errors=True) as folder:
        for top, ending in (("", ""), ("import numpy", "_numpy")):
            path = Path(folder) / f"program{ending}.py"
            path.write_text(textwrap.dedent(script(kind.key, top)))
            for _ in range(ask.rounds):
                command = [sys.executable, str(path), folder]
                out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
                times = {name: seconds * 1e3 for name, seconds in json.loads(out.splitlines()[-1]).items()}
                yield f"first{ending}", "", times["first"]
                if not ending:
                    yield "import", "", times["import"]
                    yield "later", "", times["later"]
                    if "second" in times:
                        yield "second", "", times["second"]


GROUPS = [
    Group(
        8,
        "first",
        (
            Row("first", "first result of a new pool", "ms", more=False),
            Row("first_numpy", "the same in a script that imports numpy", "ms", more=False),
            Row("second", "first result of a second pool beside it", "ms", more=False),
            Row("later", "first result of a pool when the earlier ones were left", "ms", more=False),
            Row("import", "import of the library, before that", "ms", more=False),
        ),
        measure,
        rounds=5,
        limit=60,
        peers=tuple(SCRIPTS),
    )
]

"""System calls of one no-op call, in all processes together, counted by `strace -c -f`.

    python benchmarks/pools/count.py [--peers elsewhere,mp] [--calls 2000]

Each way to call runs twice under strace, with few calls and with many; what both do to start and to end cancels out,
and the difference is divided by the difference in calls. Under strace everything is slower, so work that is grouped by
time (answers are flushed every 0.2 ms) comes in smaller groups than in life: the counts of `each`, `map` and
`futures` are upper bounds. Threads that take turns do so more often under strace: futex has a column of its own.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
FEW = 200
LIMIT = 120.0  # seconds for one run under strace
WAYS = {
    "each": "imap_unordered, or what each library has that comes closest",
    "map": "map without a chunksize",
    "futures": "a future each",
    "one": "one call after the other",
}
PROGRAM = """
import sys
sys.path.insert(0, {here!r})
import peers, work
if __name__ == "__main__":
    with peers.PEERS[{key!r}]() as peer:
        for _ in range(20):
            peer.one(work.inc, 1)
        items = list(range({calls}))
        if {way!r} == "one":
            for item in items:
                peer.one(work.inc, item)
        else:
            assert sum(getattr(peer, {way!r})(work.inc, items)) == sum(items) + len(items)
"""


def count(key: str, way: str, calls: int) -> Counter[str]:
    """All system calls of one program, by name."""
    with tempfile.TemporaryDirectory(prefix="count") as folder:
        program, out = Path(folder) / "program.py", Path(folder) / "counts"
        program.write_text(PROGRAM.format(here=str(HERE), key=key, way=way, calls=calls))
        command = ["strace", "-c", "-f", "-qq", "-U", "name,calls", "-o", str(out), sys.executable, str(program)]
        subprocess.run(command, check=True, timeout=LIMIT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        found: Counter[str] = Counter()
        for line in out.read_text().splitlines():
            parts = line.split()
            if len(parts) == 2 and parts[1].isdigit() and parts[0] != "total":
                found[parts[0]] += int(parts[1])
        return found


def per_call(key: str, way: str, calls: int) -> dict[str, float]:
    few, many = count(key, way, FEW), count(key, way, FEW + calls)
    return {name: (many[name] - few[name]) / calls for name in many}


def main() -> None:
    parser = argparse.ArgumentParser(description="Count system calls for each call.")
    parser.add_argument("--peers", default="elsewhere,mp,ppe", help="by key, as in main.py")
    parser.add_argument("--ways", default=",".join(WAYS), help="some of: " + ", ".join(WAYS))
    parser.add_argument("--calls", type=int, default=2_000, help="calls to count over (default: 2000)")
    given = parser.parse_args()
    if not shutil.which("strace"):
        sys.exit("count.py needs strace: apt install strace")
    for way in given.ways.split(","):
        print(f"{way}: {WAYS[way]}")
        for key in given.peers.split(","):
            try:
                found = per_call(key, way, given.calls)
            except subprocess.TimeoutExpired:
                print(f"  {key:<10} no answer in {LIMIT:g} s")
                continue
            except subprocess.CalledProcessError as error:
                print(f"  {key:<10} {error.stderr.decode().strip().splitlines()[-1:]}")
                continue
            parts = sorted(((value, name) for name, value in found.items() if value >= 0.005), reverse=True)
            listed = ", ".join(f"{name} {value:.2f}" for value, name in parts)
            total, locks = sum(found.values()), found.get("futex", 0.0)
            print(f"  {key:<10} {total:6.2f}, without futex {total - locks:6.2f}   {listed}")


if __name__ == "__main__":
    main()

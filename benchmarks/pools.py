"""Pools side by side, in one run: `make bench`.

    python benchmarks/pools.py [--quick] [--markdown]

Each peer is measured in a process of its own, one after the other, in rounds; a cell is the best round. Only the ratios
inside one run mean something. What a killed worker costs is asked last: some peers never answer, so that process is
given 20 seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import peers
import work

ROUNDS = 3
ONE_BY_ONE = 2.0  # seconds for calls one by one, in each round
LONGEST = 300  # seconds for one peer's figures
KILL_WAIT = 20  # seconds until "hangs"


def measure(name: str, scale: float) -> dict[str, float]:
    """One peer's figures; called in a process of its own."""
    kind = next(kind for kind in peers.PEERS if kind.name == name)
    figures: dict[str, float] = {}
    begin = time.perf_counter()
    with kind() as peer:
        if peer.one(work.inc, 1) != 2:
            raise SystemExit("a wrong result")
        figures["first result, ms"] = (time.perf_counter() - begin) * 1e3
        peer.map(work.inc, range(1000))
        calls = int(scale * (200_000 if name in ("elsewhere", "joblib") else 10_000))
        for _ in range(ROUNDS):
            for title, run, count in [
                ("calls/s, each tracked alone", lambda n: deque(peer.each(work.inc, range(n)), 0), calls),
                ("map, calls/s", lambda n: peer.map(work.inc, range(n)), int(scale * 200_000)),
                ("a future each, calls/s", lambda n: peer.futures(work.inc, range(n)), int(scale * 20_000)),
            ]:
                try:
                    begin = time.perf_counter()
                    run(count)
                    rate = count / (time.perf_counter() - begin)
                except NotImplementedError:
                    continue
                figures[title] = max(rate, figures.get(title, 0.0))
            begin, count = time.perf_counter(), 0
            while count < scale * 500 and time.perf_counter() - begin < ONE_BY_ONE:
                peer.one(work.inc, count)
                count += 1
            each = (time.perf_counter() - begin) / count * 1e6
            figures["one call, µs"] = min(each, figures.get("one call, µs", each))
    return figures


def survive(name: str) -> str:
    """What a SIGKILL of one worker costs a map over 20 items; called in a process of its own."""
    kind = next(kind for kind in peers.PEERS if kind.name == name)
    with tempfile.TemporaryDirectory() as folder:
        items = [(number, f"{folder}/marker") for number in range(20)]
        with kind() as peer:
            peer.one(work.inc, 1)
            got = 0
            try:
                answers = [peer.submit(work.die_once, item) for item in items]
            except NotImplementedError:
                try:
                    got = len(list(peer.map(work.die_once, items)))
                except Exception:
                    return "loses the whole map"
                return f"loses {len(items) - got} of 20"
            for answer in answers:
                try:
                    answer()
                    got += 1
                except Exception:
                    continue
            return f"loses {len(items) - got} of 20"


def ask(mode: str, name: str, scale: float, limit: float) -> Any:
    """Run this file for one peer in a process of its own."""
    command = [sys.executable, __file__, mode, name, str(scale)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        import os
        import signal

        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "hangs" if mode == "--survive" else {}
    if process.returncode:
        print(f"  {name}: {err.strip().splitlines()[-1] if err.strip() else 'failed'}", file=sys.stderr)
        return {} if mode == "--measure" else "not installed"
    return json.loads(out.strip().splitlines()[-1])


def table(rows: dict[str, dict[str, Any]], *, markdown: bool) -> str:
    """Figures, and behind them how many times as good `elsewhere` is."""
    titles = [
        "first result, ms",
        "one call, µs",
        "calls/s, each tracked alone",
        "a future each, calls/s",
        "map, calls/s",
    ]
    ours = rows["elsewhere"]
    lines = [["", *titles, "a worker is killed"]]
    for name, figures in rows.items():
        cells = [name]
        for title in titles:
            if title not in figures:
                cells.append("-")
                continue
            value, mine = figures[title], ours[title]
            ratio = value / mine if title.endswith("s") and "/s" not in title else mine / value
            cells.append(f"{value:,.0f}" + ("" if name == "elsewhere" else f" ({ratio:.2g}x)"))
        lines.append([*cells, str(figures.get("killed", "-"))])
    if markdown:
        lines.insert(1, ["---"] * len(lines[0]))
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def main() -> None:
    """Measure every peer and print the table."""
    if len(sys.argv) == 4:
        mode, name, scale = sys.argv[1], sys.argv[2], float(sys.argv[3])
        print(json.dumps(measure(name, scale) if mode == "--measure" else survive(name)))
        return
    scale = 0.1 if "--quick" in sys.argv else 1.0
    rows: dict[str, dict[str, Any]] = {}
    for kind in peers.PEERS:
        print(f"measuring {kind.name} ...", file=sys.stderr)
        figures = ask("--measure", kind.name, scale, LONGEST)
        if figures:
            rows[kind.name] = figures
            rows[kind.name]["killed"] = ask("--survive", kind.name, scale, KILL_WAIT)
    print(table(rows, markdown="--markdown" in sys.argv))
    print(f"\n{peers.WORKERS} workers; behind each figure, how many times as good elsewhere is in this run")


if __name__ == "__main__":
    main()

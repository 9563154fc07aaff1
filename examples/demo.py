"""What `make demo` runs: every module of the installed standard library, measured on every core and by a plain loop.

The work is `measure` of `stdlib_modules.py`. `elsewhere map` runs it as a program, as a shell would, with its bar on
stderr; then a plain loop does the same in this process, and must find the same. `--jobs` is handed on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

# A program's own folder is on its path, so a plain import finds the example next door.
from stdlib_modules import measure, stdlib_files

HERE = Path(__file__).resolve().parent
TOP = 10


def run_elsewhere(files: Sequence[Path], folder: Path, jobs: int | None) -> tuple[list[dict[str, Any]], float]:
    """Measure `files` by `elsewhere map`: its rows, and the seconds from its start to its end."""
    listed, output = folder / "modules.txt", folder / "rows.jsonl"
    listed.write_text("".join(f"{file}\n" for file in files))
    command = [sys.executable, "-m", "elsewhere", "map", f"{HERE / 'stdlib_modules.py'}:measure"]
    command += ["--from", str(listed), "--output", str(output)]
    if jobs is not None:
        command += ["--jobs", str(jobs)]
    started = time.perf_counter()
    code = subprocess.run(command, check=False).returncode
    seconds = time.perf_counter() - started
    if code > 1:  # 1: some modules failed, which the rows say
        raise SystemExit(code)
    with output.open() as lines:
        return [json.loads(line) for line in lines], seconds


def run_loop(files: Iterable[Path]) -> tuple[dict[str, dict[str, Any]], float]:
    """Measure `files` one after the other: what was found by file, without those that fail, and the seconds."""
    found = {}
    started = time.perf_counter()
    for file in files:
        try:
            found[str(file)] = dataclasses.asdict(measure(file))
        except (OSError, SyntaxError, ValueError):
            continue
    return found, time.perf_counter() - started


def top(modules: Iterable[dict[str, Any]], count: int = TOP) -> list[dict[str, Any]]:
    """The most complex modules, in the order of their names where they are equally so."""
    return sorted(modules, key=lambda module: (-module["complexity"], module["name"]))[:count]


def table(modules: Sequence[dict[str, Any]]) -> Table:
    """A line for each module."""
    title = "The most complex modules of the standard library"
    made = Table(title=title, title_justify="left", box=None, pad_edge=False)
    made.add_column("module", no_wrap=True)
    for heading in ("complexity", "lines"):  # with these it fits into 80 columns
        made.add_column(heading, justify="right")
    made.add_column("most complex function", no_wrap=True)
    for module in modules:
        numbers = [f"{module[name]:,}" for name in ("complexity", "lines")]
        made.add_row(module["name"], *numbers, f"{module['hardest']} ({module['hardest_complexity']})")
    return made


def verdict(loop: float, mapped: float, cores: int) -> str:
    """``plain loop 14.2 s · elsewhere map 7.6 s on 2 cores · 1.9 times as fast``."""
    return (
        f"plain loop {loop:.1f} s · elsewhere map {mapped:.1f} s on {cores} core{'s' * (cores != 1)} · "
        f"{loop / mapped:.1f} times as fast"
    )


def cores_used(jobs: int | None) -> int:
    """As many as there are jobs, if fewer than this process may use."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return available if jobs is None else min(jobs, available)


def main() -> int:
    options = argparse.ArgumentParser(description="Measure the standard library on every core, and by a plain loop.")
    options.add_argument(
        "-j", "--jobs", type=int, help="workers of elsewhere map; as many as there are cores if not given"
    )
    jobs: int | None = options.parse_args().jobs
    files = list(stdlib_files())
    console = Console()
    console.print(f"{len(files):,} modules of Python {sys.version.split()[0]}: elsewhere map …", highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        rows, mapped = run_elsewhere(files, Path(folder), jobs)
    console.print("… and the same by a plain loop, which shows no bar", highlight=False)
    found, loop = run_loop(files)
    values = {row["input"]: row["value"] for row in rows if "value" in row}
    if values != found:
        differing = sorted(name for name in values.keys() | found.keys() if values.get(name) != found.get(name))
        console.print(f"elsewhere map and the loop differ in {len(differing)} modules, first in {differing[0]}")
        return 1
    console.print()
    console.print(table(top(values.values())))
    console.print()
    failed = len(files) - len(found)
    console.print(f"{len(found):,} modules measured" + (f", {failed} failed" if failed else ""), highlight=False)
    console.print(verdict(loop, mapped, cores_used(jobs)), highlight=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

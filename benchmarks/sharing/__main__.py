"""Run all groups, each in a process of its own, and print what came of them.

    python -m benchmarks.sharing [--quick] [--rows 12,locks] [--turns 7] [--write] [--keep] [--show]

Figures are kept in benchmarks/sharing.json as they come; --write also puts them into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sharing import page
from benchmarks.sharing.groups import GROUPS
from benchmarks.sharing.rows import Figure, Group

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "benchmarks" / "sharing.json"
TURNS = 7
TIDYING = 0.5  # seconds for what a group has started and left to end by itself


def arguments(words: list[str] | None) -> argparse.Namespace:
    named = ", ".join(f"{group.number} {group.name}" for group in GROUPS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sharing", description="Beside multiprocessing.")
    parser.add_argument("--quick", action="store_true", help="half a minute: one turn of little work")
    parser.add_argument("--rows", help=f"numbers or names of groups: {named}")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"{TURNS} if not given")
    parser.add_argument("--write", action="store_true", help="write them into docs/benchmarks.md")
    parser.add_argument("--keep", action="store_true", help="keep the last run's figures for what is not measured now")
    parser.add_argument("--show", action="store_true", help="measure nothing: show the last run's figures")
    given = parser.parse_args(words)
    wanted = given.rows.split(",") if given.rows else [group.name for group in GROUPS]
    given.groups = [group for group in GROUPS if group.name in wanted or str(group.number) in wanted]
    unknown = set(wanted) - {text for group in GROUPS for text in (group.name, str(group.number))}
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}: {named}")
    if given.turns < 1:
        parser.error("--turns wants a number from 1 on")
    if given.show and not KEPT.exists():
        parser.error("--show: nothing has been measured here")
    return given


def main(words: list[str] | None = None) -> int:
    """Measure, print; write the page if asked to. 1 if a group failed."""
    given = arguments(words)
    kept = json.loads(KEPT.read_text()) if (given.keep or given.show) and KEPT.exists() else {}
    figures = {row: [Figure(*each) for each in found] for row, found in kept.get("figures", {}).items()}
    described = kept.get("about", {})
    failed = []
    if not given.show:
        turns = 1 if given.quick else given.turns
        described = {"machine": machine(), "versions": versions(), "when": time.strftime("%Y-%m-%d"), "turns": turns}
        described |= {"quick": given.quick, "kept": bool(kept)}
        for group in given.groups:
            print(f"{group.number} {group.name}", file=sys.stderr)
            for row in group.rows:
                figures.pop(row.name, None)
            failed += measured(group, turns, given.quick, figures)
            KEPT.write_text(json.dumps({"about": described, "figures": figures}, indent=1))
    print(page.text(figures))
    print(f"{page.about(described)}; medians, and the median of the ratios: above 1, elsewhere is better")
    if given.write:
        page.write(figures, described)
        print(f"page: {page.PAGE}", file=sys.stderr)
    print(*failed, sep="\n", end="\n" * bool(failed), file=sys.stderr)
    return 1 if failed else 0


def measured(group: Group, turns: int, quick: bool, figures: dict[str, list[Figure]]) -> list[str]:
    """Run one group; what went wrong, in words."""
    with tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as folder:
        out, errors = Path(folder) / "out", Path(folder) / "errors"
        out.touch()
        command = [sys.executable, "-m", "benchmarks.sharing.measure", group.name, str(out), str(turns)]
        with errors.open("w") as sink:
            process = subprocess.Popen(
                [*command, "quick" if quick else "whole"],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                env=os.environ | {"TMPDIR": folder},  # what a stopped group leaves there goes with the folder
            )
            late = not ends(process, group.limit)
        for line in out.read_text().splitlines():
            with contextlib.suppress(ValueError):  # the last line may be half a line
                figure = Figure(*json.loads(line))
                figures.setdefault(figure.row, []).append(figure)
        if late:
            return [f"{group.name}: not done in {group.limit:g} s"]
        return [f"{group.name} failed:\n{errors.read_text()}"] if process.returncode else []


def ends(process: subprocess.Popen[bytes], limit: float) -> bool:
    """Does it, in time? Whatever it has started ends with it.

    It is reaped last: until then its number, which is that of the session it leads, cannot be anybody else's.
    """
    watch = os.pidfd_open(process.pid)
    try:
        return bool(select.select([watch], [], [], limit)[0])
    finally:
        # First politely: multiprocessing's tracker ignores SIGTERM, and removes what the others leave.
        os.killpg(process.pid, signal.SIGTERM)
        time.sleep(TIDYING)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(watch)


def versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in ("elsewhere", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(found)


def machine() -> str:
    return f"{platform.system()} on {platform.machine()}, {len(os.sched_getaffinity(0))} cores"


if __name__ == "__main__":
    sys.exit(main())

"""Pools side by side, in one run: what `make bench` runs first.

    python benchmarks/pools/main.py [--quick] [--rows 1,3] [--peers elsewhere,joblib] [--write] [--keep] [--show]

Every group of rows is measured for every peer in a process of its own, in rounds, so that what the machine does
meanwhile meets all of them. Figures are kept in benchmarks/results.json as they come, and drawn into
benchmarks/results.svg; --write also writes docs/benchmarks.md and docs/benchmarks.svg.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import table
from peers import PEERS
from results import Results
from rows import Group, groups

HERE = Path(__file__).parent
KEPT = HERE.parent  # where the figures of the last run are
DOCS = HERE.parents[1] / "docs"
LEAVING = 20.0  # seconds for a peer's processes to end by themselves
TIDYING = 1.0  # seconds for trackers to remove what a peer left that was stopped
LOOK = 0.05  # seconds between looks at a measuring process: it needs the cores more
QUICK = ("elsewhere", "loop", "runs", "mp", "ppe", "joblib")  # the peers in most goals
OTHER = "\n## Processes and shared data\n"  # the part of the page that `benchmarks.sharing` writes
PACKAGES = ("loky", "joblib", "mpire", "pebble", "ray", "numpy")


def measure(group: Group, key: str, results: Results, options: dict[str, object]) -> None:
    """Run one group for one peer in a process of its own; a cell gets figures, or a word that says why not."""
    limit = group.limit * (3 if PEERS[key].heavy else 1) / (3 if options["quick"] else 1)
    with tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as folder:
        out, errors = Path(folder) / "out", Path(folder) / "errors"
        command = [sys.executable, str(HERE / "measure.py"), group.name, key, str(out), json.dumps(options)]
        out.touch()
        with errors.open("w") as sink:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                env=os.environ | {"TMPDIR": folder},  # what a killed peer leaves there goes with the folder
            )
            late = wait(process, out, limit)
        for line in out.read_text().splitlines():
            with contextlib.suppress(ValueError, TypeError):  # the last line may be half a line, or the word "done"
                row, variant, value = json.loads(line)
                results.add(row, key, variant, value)
        done = '"done"' in out.read_text()
        if late and not done:
            note(group, key, results, f"no answer in {limit:g} s")
        elif process.returncode and not done:
            said = errors.read_text().strip().splitlines() or [f"exit code {process.returncode}"]
            short = said[-1] if len(said[-1]) < 30 else "failed"
            note(group, key, results, "" if short == "no such method" else short)
            if short == "failed":
                print(f"  {PEERS[key].name}: {said[-1]}", file=sys.stderr)


def note(group: Group, key: str, results: Results, word: str) -> None:
    results.notes.setdefault(group.name, {})[key] = word


def wait(process: subprocess.Popen[bytes], out: Path, limit: float) -> bool:
    """Until it ends, or is done and does not end; whatever it started ends with it. Was it late?

    It is reaped last: until then its number, which is that of the session it leads, cannot be anybody else's.
    """
    end = time.monotonic() + limit
    try:
        while not ended(process.pid):
            now = time.monotonic()
            if now > end:
                return True
            if limit and '"done"' in out.read_text():
                end, limit = min(end, now + LEAVING), 0.0
            time.sleep(LOOK)
        return False
    finally:
        # First politely: multiprocessing's and loky's trackers ignore SIGTERM, and remove what the others leave.
        patience = LOOK if ended(process.pid) else TIDYING
        os.killpg(process.pid, signal.SIGTERM)
        time.sleep(patience)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def run(group: Group, keys: list[str], results: Results, *, quick: bool) -> None:
    """All rounds of one group."""
    keys = [key for key in group.peers if key in keys]
    results.forget(group, keys)
    total = 1 if quick else group.rounds
    for turn in range(total):
        finalists = results.finalists(group, group.finalists) if turn and group.finalists else None
        for key in keys:
            heavy = PEERS[key].heavy and not group.finalists
            if (turn and heavy) or key in results.notes.get(group.name, {}):
                continue
            if finalists is not None and key != "elsewhere" and key not in finalists:
                continue
            only = finalists.get(key) if finalists else None
            say(f"{group.number:>2} {group.name}, round {turn + 1} of {total}: {PEERS[key].name}")
            began = time.monotonic()
            measure(group, key, results, {"quick": quick, "rounds": min(3, total) if heavy else 1, "only": only})
            seconds = results.about.setdefault("seconds", {})
            seconds[group.name] = seconds.get(group.name, 0) + time.monotonic() - began
            results.save()


def say(text: str) -> None:
    """One line that is overwritten where there is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


def versions() -> str:
    found = []
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return f"Python {platform.python_version()}, {', '.join(found)}"


def machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()} on {platform.machine()}, {cores} cores"


def picture(results: Results, *paths: Path) -> None:
    try:
        import picture as drawer
    except ModuleNotFoundError as error:
        print(f"no picture: {error.name} is not installed (it is in the extra `bench`)", file=sys.stderr)
        return
    for path in paths:
        drawer.draw(results, path)
        print(f"picture: {path}", file=sys.stderr)


def arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure elsewhere beside its peers.")
    parser.add_argument("--quick", action="store_true", help="about a minute: one round of little work, fewer peers")
    parser.add_argument(
        "--rows", help="numbers or names of groups: " + ", ".join(f"{g.number} {g.name}" for g in groups())
    )
    parser.add_argument("--peers", help="by key: " + ", ".join(PEERS))
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and docs/benchmarks.svg")
    parser.add_argument("--keep", action="store_true", help="keep the last run's figures for what is not measured now")
    parser.add_argument(
        "--show", action="store_true", help="measure nothing: show (and --write) the last run's figures"
    )
    given = parser.parse_args(words)
    wanted = (given.rows or "").split(",") if given.rows else None
    given.groups = [g for g in groups() if wanted is None or str(g.number) in wanted or g.name in wanted]
    given.keys = given.peers.split(",") if given.peers else list(QUICK if given.quick else PEERS)
    unknown = [key for key in given.keys if key not in PEERS]
    known = {text for g in groups() for text in (str(g.number), g.name)}
    unknown += [text for text in wanted or [] if text not in known]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}")
    return given


def main(words: list[str] | None = None) -> int:
    """Measure, print, draw; write the page if asked to. 1 if it was stopped."""
    given = arguments(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what is being measured ends, too
    results = Results(KEPT / "results.json")
    if (given.show or given.keep) and results.path.exists():
        results.load()
        results.about["kept"] = results.about.get("kept", False) or not given.show
    began, stopped = time.monotonic(), False
    if not given.show:
        results.about |= {"machine": machine(), "versions": versions(), "when": time.strftime("%Y-%m-%d")}
        results.about["quick"] = given.quick
        try:
            for group in given.groups:
                run(group, given.keys, results, quick=given.quick)
        except KeyboardInterrupt:
            print("\nstopped: what there is so far", file=sys.stderr)
            stopped = True
        before = results.about.get("minutes", 0.0)
        results.about["minutes"] = before + (time.monotonic() - began) / 60
        results.save()
        say("")
    goals = [line for line in table.goals(results) if line[2] != "not measured"]
    for lines in (table.ways(results, short=True), table.loops(results), table.figures(results), goals):
        if len(lines) > 1:
            print(table.plain(lines) + "\n")
    print(f"{table.about(results)}; behind a peer's figure, how many times as good elsewhere is in this run")
    picture(results, KEPT / "results.svg", *([DOCS / "benchmarks.svg"] if given.write else []))
    if given.write:
        page = DOCS / "benchmarks.md"
        _, heading, rest = page.read_text().partition(OTHER)
        page.write_text(table.page(results) + heading + rest)
        print(f"page: {page}", file=sys.stderr)
    return 1 if stopped else 0


if __name__ == "__main__":
    sys.exit(main())

"""How long the same index takes on each place, and how many questions a second its service answers.

    python corpus.py --make 20000 texts
    python timed.py texts --hosts web1 web2

All is done in turns, several times, and the middle of each is shown. See docs/text-index.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median

from corpus import find
from indexer import Building, build
from postings import postings
from store import Reader
from words import count, decoded, read, words

from elsewhere import Client, Fleet, Pool, connect

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 3.0  # that each way to ask is asked
QUESTIONS = 500


def in_turns(ways: dict[str, Callable[[], None]], turns: int) -> dict[str, list[float]]:
    """The seconds that each way took, turn by turn; the first turn only warms up what can be warm."""
    seconds = defaultdict(list)
    for turn in range(turns + 1):
        for name, way in ways.items():
            print(f"turn {turn} of {turns}: {name}", file=sys.stderr)
            started = time.perf_counter()
            way()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def counting(folder: str, work: str) -> dict[str, Callable[[], None]]:
    """`count` of each file: by a loop, and by the shell."""
    files, rows = os.path.join(work, "files.txt"), os.path.join(work, "rows.jsonl")
    paths = list(find([folder]))
    with open(files, "wb") as listed:
        listed.write(b"".join(os.fsencode(path) + b"\n" for path in paths))

    def by_loop() -> None:
        for path in paths:
            count(path)

    def by_shell() -> None:
        command = [sys.executable, "-m", "elsewhere", "map", f"{HERE}/words.py:count", "--from", files]
        subprocess.run([*command, "--output", rows, "--overwrite", "--quiet"], check=True)

    return {"`count`, a plain loop": by_loop, "`count`, `elsewhere map` on the shell": by_shell}


def building(folder: str, work: str, hosts: list[str]) -> dict[str, Callable[[], None]]:
    """The index: by a loop, and by `build` on each place, the start and the end of which count."""

    def by_loop() -> None:
        made = Building(list(find([folder])))
        for items in made.batches():
            made.add(postings(items))
        made.write(os.path.join(work, "loop.index"), [folder])

    def on(place: str) -> None:
        index = os.path.join(work, f"{place}.index")
        with Pool(where=Fleet(*hosts) if place == "hosts" else place) as pool:
            build([folder], index, pool, send=place == "hosts")
        with open(index, "rb") as ours, open(os.path.join(work, "loop.index"), "rb") as theirs:
            assert ours.read() == theirs.read(), f"{place}: another index"

    places = ["threads", "processes", *(["hosts"] if hosts else []), "dask"]
    fleet = ", ".join(f'"{host}"' for host in hosts)
    names = {place: f"Fleet({fleet})" if place == "hosts" else f'"{place}"' for place in places}
    ways = {f"the index, `where={name}`": lambda place=place: on(place) for place, name in names.items()}
    return {"the index, a plain loop": by_loop, **ways}


def questions(folder: str, index: str) -> list[str]:
    """Two words each that a file has, and that not many have."""
    paths, chance = list(find([folder])), random.Random(1)
    with closing(Reader(index)) as reader:
        known = set(reader.known(2, 1000))
    pairs = []
    while len(pairs) < QUESTIONS:
        here = sorted(known.intersection(words(decoded(read(chance.choice(paths))))))
        if len(here) > 1:
            pairs.append(" ".join(chance.sample(here, 2)))
    return pairs


@contextlib.contextmanager
def service(index: str) -> Iterator[list[str]]:
    """The service as a program; its addresses."""
    command = [sys.executable, f"{HERE}/service.py", index]
    command += ["--bind", "tcp://127.0.0.1:0", "--bind", "http://127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        yield process.stderr.readline().removeprefix("serving at ").strip().split(", ")
        process.send_signal(signal.SIGTERM)


def asked(client: Client, queries: list[str], threads: int) -> float:
    """Questions answered in a second."""
    end = time.perf_counter() + SECONDS

    def ask(first: int) -> int:
        done = 0
        while time.perf_counter() < end:
            client.search(queries[(first + done) % QUESTIONS])
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(ask, range(0, QUESTIONS, QUESTIONS // threads))) / SECONDS


def main(folder: str, hosts: list[str], turns: int) -> None:
    """Measure, and print two tables."""
    with tempfile.TemporaryDirectory() as work:
        print("| | s | times as fast |\n|---|--:|--:|")
        for ways in (counting(folder, work), building(folder, work, hosts)):
            seconds = in_turns(ways, turns)
            loop = next(iter(seconds.values()))
            for name, each in seconds.items():
                ratio = median(one / other for one, other in zip(loop, each, strict=True))
                print(f"| {name} | {median(each):.1f} | {ratio:.1f} |", flush=True)
        index = os.path.join(work, "loop.index")
        queries = questions(folder, index)
        print("\n| asked over | questions/s |\n|---|--:|")
        with service(index) as (tcp, web):
            for name, address, threads in [
                ("MessagePack-RPC", tcp, 1),
                ("MessagePack-RPC", tcp, 8),
                ("JSON-RPC", web, 1),
            ]:
                with connect(address) as client:
                    rate = asked(client, queries, threads)
                print(f"| {name}, by {threads} thread{'s' * (threads > 1)} | {rate:,.0f} |", flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder")
    options.add_argument("--hosts", nargs="+", default=[], help="as ssh knows them")
    options.add_argument("--turns", type=int, default=3)
    given = options.parse_args()
    main(os.path.abspath(given.folder), given.hosts, given.turns)

"""How long the same index takes on each place, and how many questions a second its service answers.

    python corpus.py --make 20000 texts
    python timed.py texts --hosts web1 web2

All is done in turns, several times, and the middle of each is shown. See docs/text-index.md.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median

from corpus import find
from indexer import Building
from postings import postings
from store import Reader
from words import count, decoded, read, words

from elsewhere import Client, connect

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 3.0  # that each way to ask is asked
QUESTIONS = 500


def loop_count(folder: str) -> None:
    """`count` of each file, without a pool."""
    for path in find([folder]):
        count(path)


def loop_index(folder: str, index: str) -> None:
    """The index, without a pool."""
    building = Building(list(find([folder])))
    for items in building.batches():
        building.add(postings(items))
    building.write(index, [folder])


def counting(folder: str, work: str) -> dict[str, list[str]]:
    """The commands that count the words of each file."""
    files = os.path.join(work, "files.txt")
    with open(files, "wb") as listed:
        listed.write(b"".join(os.fsencode(path) + b"\n" for path in find([folder])))
    mapped = ["-m", "elsewhere", "map", f"{HERE}/words.py:count", "--from", files]
    return {
        "`count`, a plain loop": [f"{HERE}/timed.py", folder, "--loop", "count"],
        "`elsewhere map words.py:count`": [*mapped, "--output", os.path.join(work, "rows.jsonl"), "--overwrite"],
    }


def indexing(folder: str, work: str, hosts: list[str]) -> dict[str, list[str]]:
    """The commands that make the index."""
    places = ["--where threads", "--where processes", f"--hosts {' '.join(hosts)}", "--where dask"]
    ways = {"the index, a plain loop": [f"{HERE}/timed.py", folder, "--loop", os.path.join(work, "index")]}
    for number, place in enumerate(place for place in places if place != "--hosts "):
        index = os.path.join(work, f"index{number}")
        ways[f"`indexer.py {place}`"] = [f"{HERE}/indexer.py", folder, "-o", index, *place.split()]
    return ways


def in_turns(ways: dict[str, list[str]], turns: int) -> dict[str, list[float]]:
    """The seconds of each command, turn by turn, all of it; a first turn only warms up what can be warm."""
    seconds = defaultdict(list)
    for turn in range(turns + 1):
        for name, command in ways.items():
            print(f"turn {turn} of {turns}: {name}", file=sys.stderr)
            started = time.perf_counter()
            done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
            if turn:
                seconds[name].append(time.perf_counter() - started)
            if done.returncode:
                sys.exit(f"{name}: {done.stderr}")
    return seconds


def all_the_same(work: str) -> None:
    """All indexes have to be, byte for byte."""
    found = [path for path in sorted(os.listdir(work)) if path.startswith("index")]
    for path in found[1:]:
        if not filecmp.cmp(os.path.join(work, found[0]), os.path.join(work, path), shallow=False):
            sys.exit(f"{path} and {found[0]} are not the same")


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
        for ways in (counting(folder, work), indexing(folder, work, hosts)):
            seconds = in_turns(ways, turns)
            loop = next(iter(seconds.values()))
            for name, each in seconds.items():
                ratio = median(one / other for one, other in zip(loop, each, strict=True))
                print(f"| {name} | {median(each):.1f} | {ratio:.1f} |", flush=True)
        all_the_same(work)
        index = os.path.join(work, "index")
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
    options.add_argument("folder", type=os.path.abspath)
    options.add_argument("--hosts", nargs="+", default=[], help="as ssh knows them")
    options.add_argument("--turns", type=int, default=3)
    options.add_argument("--loop", metavar="INDEX", help="a plain loop alone, which makes an index; or counts: count")
    given = options.parse_args()
    if given.loop == "count":
        loop_count(given.folder)
    elif given.loop:
        loop_index(given.folder, given.loop)
    else:
        main(given.folder, given.hosts, given.turns)

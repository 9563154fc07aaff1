"""What waits goes to threads, what computes to processes: the seconds of each, measured. See docs/examples.md."""

import asyncio
import bz2
import re
import sysconfig
import time
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

from elsewhere import Pool, net


async def page(reader, writer):
    """A web server, 50 ms away."""
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.05)
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n<h1>Hello</h1>")


def fetch(address):  # waits
    return urlopen(address).read()


def most_common(file):  # computes in Python: one thread at a time
    return Counter(re.findall(r"\w+", file.read_text(errors="replace"))).most_common(3)


def compressed(file):  # computes in C, which lets other threads go on
    return len(bz2.compress(file.read_bytes()))


def seconds(place, function, inputs):
    with Pool(where=place) as pool:
        pool.submit(function, inputs[0]).result()  # so that its workers are there
        started = time.perf_counter()
        pool.map(function, inputs)
        return time.perf_counter() - started


files = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))[:1500]
with net.Server(page, "tcp://localhost:0") as web:
    jobs = {
        "fetch 60 pages": (fetch, [f"http://localhost:{web.addresses[0].port}/"] * 60),
        f"count {len(files):,} files' words": (most_common, files),
        f"compress {len(files[:300])} files": (compressed, files[:300]),
    }
    print(f"{'':24}     loop          threads        processes")
    for job, (function, inputs) in jobs.items():
        loop, *others = (seconds(place, function, inputs) for place in ("inline", "threads", "processes"))
        print(f"{job:24} {loop:5.2f} s", *(f"{taken:5.2f} s ({loop / taken:4.1f} x)" for taken in others))

"""What waits goes to threads, what computes to processes: the seconds of each, measured. See docs/examples.md."""

import http.server
import lzma
import re
import sysconfig
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

from elsewhere import Pool


class FarAway(http.server.BaseHTTPRequestHandler):
    """A web page that takes 50 ms to come."""

    def do_GET(self):
        time.sleep(0.05)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<h1>Hello</h1>")

    def log_message(self, *words):
        """Each request would be a line."""


def fetch(address):  # waits
    return urlopen(address).read()


def most_common(file):  # computes in Python: one thread at a time
    return Counter(re.findall(r"\w+", file.read_text(errors="replace"))).most_common(3)


def compressed(file):  # computes in C, which lets other threads go on
    return len(lzma.compress(file.read_bytes()))


web = http.server.ThreadingHTTPServer(("localhost", 0), FarAway)
threading.Thread(target=web.serve_forever, daemon=True).start()
files = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))[:1500]
jobs = {
    "fetch 60 pages": (fetch, [f"http://localhost:{web.server_port}/"] * 60),
    f"count {len(files):,} files' words": (most_common, files),
    f"compress {len(files[:300])} files": (compressed, files[:300]),
}

print(f"{'':24}     loop          threads        processes")
for job, (function, inputs) in jobs.items():
    seconds = []
    for place in ("inline", "threads", "processes"):
        with Pool(where=place) as pool:
            pool.submit(function, inputs[0]).result()  # so that its workers are there
            started = time.perf_counter()
            pool.map(function, inputs)
            seconds.append(time.perf_counter() - started)
    loop, *others = seconds
    print(f"{job:24} {loop:5.2f} s", *(f"{taken:5.2f} s ({loop / taken:4.1f} x)" for taken in others))

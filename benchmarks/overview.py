"""The table of docs/performance.md and the pictures beside it, from the pages: `python -m benchmarks.overview`.

Rule: nothing is measured here, and nothing is typed by hand: each ratio is that of two figures of one page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from benchmarks.pictures import DOCS, number, pictures, table

PAGE = DOCS / "performance.md"
BEGIN, END = "<!-- written by python -m benchmarks.overview -->\n", "<!-- until here -->\n"


class Ratio(NamedTuple):
    """How many times as good ours is.

    Attributes:
        work: in words.
        peer: in words.
        page: where both figures are.
        heading: of the table, as it begins.
        ours, theirs: rows of it, as they begin; with `row`, columns.
        row: as it begins, where each contestant is a column.
        more: is more better?
    """

    work: str
    peer: str
    page: str
    heading: str
    ours: str
    theirs: str
    row: str = ""
    more: bool = False

    def value(self, page: str) -> float:
        """The ratio, from the text of the page.

        Raises:
            LookupError: the page has not both figures.
        """
        head, *rows = table(page, self.heading)
        if self.row:
            found = dict(zip(head, next((row for row in rows if row[0].startswith(self.row)), []), strict=False))
            if exact := re.search(r"\(([\d.,]+)x\)", found.get(self.theirs, "")):  # from figures that were not rounded
                return float(exact[1].replace(",", ""))
        else:
            found = {row[0]: row[1] for row in rows}
        ours, theirs = (number(found.get(name, "")) for name in (self.ours, self.theirs))
        if ours is None or theirs is None:
            raise LookupError(f"{self.page} has no figures of {self.ours} and {self.theirs} under {self.heading!r}")
        return ours / theirs if self.more else theirs / ours


def _pool(work: str, peer: str, row: str, *, more: bool = False) -> Ratio:
    return Ratio(work, peer, "benchmarks.md", "Figures", "elsewhere", peer, row, more)


def _shared(work: str, row: str, *, more: bool = False) -> Ratio:
    heading = "Processes and shared data"
    return Ratio(work, "multiprocessing", "benchmarks.md", heading, "elsewhere", "multiprocessing", row, more)


AHEAD = "Where elsewhere is ahead"
TABLES: dict[str, list[Ratio]] = {
    AHEAD: [
        _pool("calls, each tracked alone", "multiprocessing.Pool", "no-op calls", more=True),
        _pool("calls, each tracked alone", "ProcessPoolExecutor", "no-op calls", more=True),
        _pool("one call, waited for", "ProcessPoolExecutor", "one call, waited for"),
        _pool("arrays of 8 MB, there and back", "joblib", "the same there and back", more=True),
        _shared("integers through a Queue", "Queue: int", more=True),
        _shared("counting in a Manager's dict", "4 processes count: `increment`", more=True),
        Ratio("a call of a service", "msgpack-rpc-python", "benchmarks-rpc.md", "One call after", "elsewhere, threads",
              "msgpack-rpc-python"),
        Ratio("a call of a service", "gRPC", "benchmarks-rpc.md", "One call after", "elsewhere, threads", "gRPC"),
        Ratio("a call over XML-RPC", "the standard library", "benchmarks-http.md", "XML-RPC, one call",
              "elsewhere, loop", "xmlrpc.client and .server"),
        Ratio("200 MB to a host", "Fabric 3", "benchmarks-fleet.md", "One file of 200 MB to", "elsewhere", "Fabric 3",
              more=True),
        Ratio("2,000 small files to a host", "scp", "benchmarks-fleet.md", "A tree of 2,000 small files into",
              "elsewhere", "scp"),
        Ratio("a task file on 50 hosts, all at once", "Fabric 1 with -P", "benchmarks-fabric.md", "A deployment",
              "elsewhere -P, Fabric 1's file", "Fabric 1 -P"),
        Ratio("20,000 calls on a Dask cluster", "Dask's map", "benchmarks-cluster.md", "20,000 calls",
              "elsewhere on Dask", "Dask"),
        Ratio("the first result from a host", "Dask's SSHCluster", "benchmarks-cluster.md", "From a program",
              "elsewhere: host.call", "Dask's SSHCluster"),
    ],
    "Where others are ahead": [
        _pool("the first result of a new pool", "multiprocessing.Pool, fork", "first result of a new pool"),
        _pool("a `map` of no-ops, in blind chunks", "multiprocessing.Pool", "`map` of 200,000 no-ops", more=True),
        _shared("writing a `Value`", "Value: `.value` written"),
        _shared("100 bytes through a Pipe and back", "Pipe: 100 bytes"),
        Ratio("a call on a host", "a bare channel of asyncssh", "benchmarks-cluster.md", "`abs(-1)`",
              "elsewhere: host.call", "asyncssh's channel to cat"),
    ],
}  # fmt: skip


def said(ratio: float) -> str:
    """Two digits are what can be said of one run."""
    return f"{ratio:.0f}" if ratio >= 9.95 else f"{ratio:.1f}"


def tables() -> str:
    """All tables, as Markdown."""
    parts = []
    for title, ratios in TABLES.items():
        ahead, who = (True, "elsewhere is") if title == AHEAD else (False, "they are")
        parts.append(f"### {title}\n\n| work | beside | {who} so many times as good |\n|---|---|--:|")
        for each in ratios:
            value = each.value((DOCS / each.page).read_text())
            parts.append(f"| [{each.work}]({each.page}) | {each.peer} | {said(value if ahead else 1 / value)} |")
        parts.append("")
    return "\n".join(parts)


def page() -> str:
    """docs/performance.md, with the tables as they are to be."""
    return re.sub(
        f"{re.escape(BEGIN)}.*{re.escape(END)}",
        lambda _: f"{BEGIN}\n{tables()}\n{END}",
        PAGE.read_text(),
        flags=re.DOTALL,
    )


def written() -> dict[Path, str]:
    """Each file that is made from the pages, and what is to stand in it."""
    return {PAGE: page(), **pictures()}


def main() -> None:
    for path, text in written().items():
        path.write_text(text)


if __name__ == "__main__":
    main()

"""Serve an index: to programs over MessagePack-RPC, XML-RPC and JSON-RPC, and to people in the browser.

    python service.py code.index --bind tcp://localhost:6789 --bind http://localhost:8000

See docs/text-index.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing

from indexer import Report, build
from search import About, Hit, Index

from elsewhere import Pool, Service


def serving(index: str) -> Service:
    """A service that searches an index.

    Raises:
        FileNotFoundError, ValueError: there is none, or it is none.
    """
    path = os.path.abspath(index)
    opened = Index(path)
    service = Service(name="text index")

    @service.method(idempotent=True)
    def search(query: str, limit: int = 10) -> list[Hit]:
        """The best files that have every part of a query: words, "words one after the other", and begin* of a word."""
        return opened.search(query, limit)

    @service.method(idempotent=True, where="processes")
    def similar(text: str, limit: int = 10) -> list[Hit]:
        """The files that are most like a text."""
        with closing(Index(path)) as here:
            return here.similar(text, limit)

    @service.method(where="processes")
    def reindex() -> Report:
        """Index the same folders again. Searches go on meanwhile, and have the new index when it is whole."""
        with closing(Index(path)) as here, Pool() as pool:
            return build(here.about().folders, path, pool)

    @service.method(idempotent=True)
    def about() -> About:
        """What is in the index."""
        return opened.about()

    return service


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("index")
    options.add_argument("--bind", action="append", metavar="ADDRESS", help="where; tcp://localhost:6789 by default")
    given = options.parse_args()
    try:
        service = serving(given.index)
    except (OSError, ValueError) as error:
        sys.exit(f"service.py: {error}")
    service.serve(*given.bind or ["tcp://localhost:6789"])

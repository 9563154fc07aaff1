"""Which files are indexed: those of some folders, or a corpus made of Python's own sources. See docs/text-index.md.

python corpus.py FOLDER... > files.txt     # the text files of some folders, a path a line
python corpus.py --make 20000 texts        # a folder of that many files, the same on each machine with this Python
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

ENDINGS = {".c", ".cfg", ".h", ".html", ".ini", ".js", ".json", ".md", ".py", ".rst", ".toml", ".txt", ".yaml", ".yml"}
IGNORED = {"__pycache__", "node_modules"}
FOLDER = 500  # files of a made corpus that one folder has


def find(folders: Iterable[str]) -> Iterator[str]:
    """The text files below some folders, told by their endings, in the order of their names.

    Hidden ones are left out, and links are not followed. A folder that cannot be read is an error: an index that lacks
    half of the files looks like a whole one.
    """
    for folder in folders:
        if not os.path.isdir(folder):
            raise NotADirectoryError(f"{folder} is no folder")
        for here, inner, names in os.walk(folder, onerror=_raised):
            inner[:] = sorted(name for name in inner if name not in IGNORED and not name.startswith("."))
            for name in sorted(names):
                path = os.path.join(here, name)
                if os.path.splitext(name)[1].lower() in ENDINGS and not name.startswith(".") and os.path.isfile(path):
                    yield path


def _raised(error: OSError) -> None:
    raise error


def make(count: int, folder: str) -> None:
    """Write a corpus: each file is some lines of a source of the standard library, picked by a fixed seed."""
    library = Path(sysconfig.get_path("stdlib"))
    paths = sorted(path for path in library.glob("**/*.py") if "site-packages" not in path.parts)
    sources = [path.read_text("latin-1").splitlines(keepends=True) for path in paths]
    chance = random.Random(20_000)
    for number in range(count):
        lines = chance.choice(sources)
        length = chance.randint(20, 120)
        begin = chance.randrange(max(1, len(lines) - length))
        path = Path(folder, f"{number // FOLDER:03}", f"{number:06}.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines[begin : begin + length]), "latin-1")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folders", nargs="+", metavar="FOLDER")
    options.add_argument("--make", type=int, metavar="COUNT", help="write a corpus of so many files to FOLDER")
    given = options.parse_args()
    if given.make:
        make(given.make, given.folders[0])
    else:
        for path in find(given.folders):
            sys.stdout.buffer.write(os.fsencode(path) + b"\n")

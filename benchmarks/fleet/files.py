"""Trees and files that are copied: how they are made, and what must be there afterwards."""

from __future__ import annotations

import filecmp
import os
import random
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.fleet.contest import Contestant, Failed, Took
from benchmarks.fleet.yard import Yard

FOLDERS = 40
OLD = 1_000_000_000  # a time that no file has which is made now


def make_tree(path: Path, files: int, seed: int, when: int | None = None) -> None:
    """So many files of up to 8 kB in forty folders; with another seed their contents are others, not their names.

    Args:
        path: of the tree.
        files: how many.
        seed: of their contents.
        when: their time; None for now.
    """
    contents = random.Random(seed)
    sizes = random.Random(files)
    for number in range(files):
        folder = path / f"folder-{number % FOLDERS:02}"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"file-{number:05}.txt"
        file.write_bytes(contents.randbytes(sizes.randrange(8192)))
        if when is not None:
            os.utime(file, (when, when))


class Tree:
    """A tree that is copied; of each turn, what is there before.

    Args:
        yard: where.
        files: how many.
    """

    existing = False

    def __init__(self, yard: Yard, files: int) -> None:
        self.source = yard.near / "tree"
        self.other = yard.near / "other"
        self.target = yard.far / "tree"
        self.user = yard.user
        self.files = files

    def __enter__(self) -> Self:
        make_tree(self.source, self.files, 1)
        make_tree(self.other, self.files, 2, OLD)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for path in (self.source, self.other, self.target):
            shutil.rmtree(path, ignore_errors=True)

    def prepare(self, who: Contestant) -> None:
        """Before each turn."""
        shutil.rmtree(self.target, ignore_errors=True)

    def measure(self, who: Contestant) -> Took:
        """One turn; raises `Failed` if afterwards it is not there."""
        self.prepare(who)
        took = who.ask("tree", str(self.source), str(self.target), self.existing)
        for path in self.source.glob("*/*"):
            copy = self.target / path.relative_to(self.source)
            if not copy.is_file() or not filecmp.cmp(path, copy, shallow=False):
                raise Failed(f"{copy} is not there, or another one")
        return took

    def fill(self, tree: Path) -> None:
        """Let it be on the far side, with its times."""
        shutil.copytree(tree, self.target)
        for folder, _, names in os.walk(self.target):
            for name in (".", *names):
                shutil.chown(os.path.join(folder, name), self.user)


class New(Tree):
    """Nothing is there."""


class Existing(Tree):
    """The same names, and other contents."""

    existing = True

    def prepare(self, who: Contestant) -> None:
        super().prepare(who)
        self.fill(self.other)


class Again(Tree):
    """What is there is the same."""

    existing = True

    def prepare(self, who: Contestant) -> None:
        super().prepare(who)
        self.fill(self.source)


class Large:
    """One large file.

    Args:
        yard: where.
        megabytes: how large.
    """

    def __init__(self, yard: Yard, megabytes: int) -> None:
        self.near = yard.near / "large"
        self.far = yard.far / "large"
        self.megabytes = megabytes

    def __enter__(self) -> Self:
        self.near.write_bytes(random.Random(3).randbytes(1_000_000) * self.megabytes)
        shutil.copy(self.near, self.far)
        self.far.chmod(0o644)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.near.unlink()
        self.far.unlink()

    def measure(self, who: Contestant, verb: str) -> Took:
        """One turn; raises `Failed` if the copy is another file."""
        source, target = (self.near, self.far.with_name("copy")) if verb == "put" else (
            self.far, self.near.with_name("copy"),
        )  # fmt: skip
        try:
            took = who.ask(verb, str(source), str(target))
            if not filecmp.cmp(source, target, shallow=False):
                raise Failed(f"{target} is another file than {source}")
            return took
        finally:
            target.unlink(missing_ok=True)

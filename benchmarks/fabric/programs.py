"""Who runs the task files: the originals, each in an environment of its own, and ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).parent


class Program(NamedTuple):
    """One way to run the task.

    Attributes:
        name: in tables.
        dialect: of its task file; 1 or 3.
        ours: it is not the original.
        parallel: all hosts side by side.
    """

    name: str
    dialect: int
    ours: bool
    parallel: bool

    @property
    def words(self) -> list[str]:
        """Its command line, up to the hosts."""
        folder = ROOT / f".venv-fabric{self.dialect}" / "bin"
        original = [str(folder / "python"), "-W", "ignore", str(folder / "fab")]
        program = [sys.executable, "-m", "elsewhere", "fab"] if self.ours else original
        return [*program, *["-P"] * self.parallel]

    @property
    def file(self) -> Path:
        return HERE / f"deploy{self.dialect}.py"


PROGRAMS = {
    "fabric1": Program("Fabric 1", 1, ours=False, parallel=False),
    "fabric1_parallel": Program("Fabric 1 -P", 1, ours=False, parallel=True),
    "ours1": Program("elsewhere, Fabric 1's file", 1, ours=True, parallel=False),
    "ours1_parallel": Program("elsewhere -P, Fabric 1's file", 1, ours=True, parallel=True),
    "fabric3": Program("Fabric 3", 3, ours=False, parallel=False),
    "ours3": Program("elsewhere, Fabric 3's file", 3, ours=True, parallel=False),
    "ours3_parallel": Program("elsewhere -P, Fabric 3's file", 3, ours=True, parallel=True),
}

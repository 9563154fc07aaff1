"""One task file, run by the real Fabric and by ours, against the same hosts: what each said, and what each left."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.fleet.sshd import Sshd
from tests.require import ROOT, require

HERE = Path(__file__).parent
PATIENCE = 60.0  # seconds that one run may take
VENV = {1: ".venv-fabric1", 3: ".venv-fabric3"}


class Ran(NamedTuple):
    """How a run has ended.

    Attributes:
        status: its exit status.
        out, err: what it wrote, with what differs by nature made equal.
        tree: the files that it left, by their path, with kind, mode and contents.
    """

    status: int
    out: list[str]
    err: list[str]
    tree: dict[str, str]


class Bench:
    """A folder for the hosts' files, a home with keys, and the two programs.

    The hosts are all this machine, so that what they hold is one folder, ``FAB_THERE`` in the environment.
    """

    def __init__(self, folder: Path, server: Sshd, dialect: int) -> None:
        self.folder = folder
        self.server = server
        self.dialect = dialect
        self._count = 0
        python = require(file=f"{VENV[dialect]}/bin/python", install=f".ci/peers fabric{dialect}")
        self.original = [str(python), "-W", "ignore", str(ROOT / VENV[dialect] / "bin" / "fab")]
        self.ours = [sys.executable, "-m", "elsewhere", "fab"]
        self.hosts = [f"{server.user}@{host}:{server.port}" for host in server.hosts]

    def run(
        self, program: list[str], arguments: list[str], *, stdin: str = "", env: dict[str, str] | None = None
    ) -> Ran:
        """One run."""
        return self.start(program, arguments, stdin, env).end()

    def both(self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> tuple[Ran, Ran]:
        """The original's and ours, at the same time."""
        first = self.start(self.original, list(arguments), stdin, env)
        second = self.start(self.ours, list(arguments), stdin, env)
        try:
            return first.end(), second.end()
        finally:
            first.stop()
            second.stop()

    def start(
        self,
        program: list[str],
        arguments: list[str],
        stdin: str,
        env: dict[str, str] | None,
        files: dict[str, str] | None = None,
        known: str | None = None,
    ) -> Run:
        """Begin one, in a world of its own that looks like every other's.

        Args:
            program, arguments: what is run.
            stdin: what it reads.
            env: further variables.
            files: further task files, by name.
            known: what known_hosts holds instead of the hosts' keys.
        """
        world, environment = self._world(files, known)
        return Run(world, [*program, *arguments], {**environment, **(env or {})}, stdin)

    def popen(
        self, program: list[str], arguments: list[str], terminal: int, env: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Begin one at a terminal, which is that of its session."""
        world, environment = self._world()
        # Who leads a session has the terminal that it opens.
        script = 'exec <"$0" >"$0" 2>&1; exec "$@"'
        words = ["sh", "-c", script, os.ttyname(terminal), *program, *arguments]
        environment.update(env or {})
        return subprocess.Popen(words, cwd=world / "here", env=environment, start_new_session=True)

    def _world(self, files: dict[str, str] | None = None, known: str | None = None) -> tuple[Path, dict[str, str]]:
        """A new folder for a run, and its environment."""
        self._count += 1
        world = self.folder / f"world{self._count}"
        for name in ("home/.ssh", "there", "here"):
            (world / name).mkdir(parents=True)
        shutil.copy(self.server.key, world / "home/.ssh/id_ed25519")
        shutil.copy(self.server.known_hosts, world / "home/.ssh/known_hosts")
        for path in (HERE / f"files{self.dialect}").iterdir():
            if path.name != "__pycache__":
                (shutil.copytree if path.is_dir() else shutil.copy)(path, world / "here" / path.name)
        for name, text in (files or {}).items():
            (world / "here" / name).write_text(text)
        if known is not None:
            (world / "home/.ssh/known_hosts").write_text(known)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(world / "home"),
            "LANG": "C.UTF-8",
            "USER": self.server.user,
            "LOGNAME": self.server.user,
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "FAB_THERE": str(world / "there"),
            "FAB_HOSTS": ",".join(self.hosts),
        }
        return world, environment


class Run:
    """One run under way."""

    def __init__(self, world: Path, words: list[str], environment: dict[str, str], stdin: str) -> None:
        self.world = world
        self._stdin = stdin
        self._process = subprocess.Popen(
            words,
            cwd=world / "here",
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> Ran:
        """Wait for it."""
        with self._process as process:
            try:
                out, err = process.communicate(self._stdin, PATIENCE)
            except BaseException:
                process.kill()
                raise
        return Ran(process.returncode, self._lines(out), self._lines(err), _tree(self.world))

    def stop(self) -> None:
        """It is over, whatever has happened."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def _lines(self, text: str) -> list[str]:
        text = text.replace(str(self.world), "WORLD").replace("\r\n", "\n")
        return [_ADDRESS.sub("…", line.rstrip()) for line in text.split("\n")]


def same(original: Ran, ours: Ran, *, ordered: bool = True, errors: bool = True) -> None:
    """Fail unless both have done the same.

    Args:
        original: the real Fabric's run.
        ours: ours.
        ordered: lines come in the same order; not those of tasks that ran side by side.
        errors: what was written to stderr counts.
    """
    arrange = list if ordered else _pieces
    told = f"\n--- original\n{chr(10).join(original.out)}\n--- ours\n{chr(10).join(ours.out)}\n"
    told += f"--- original's errors\n{chr(10).join(original.err)}\n--- ours\n{chr(10).join(ours.err)}"
    assert arrange(ours.out) == arrange(original.out), told
    assert ours.status == original.status, told
    assert ours.tree == original.tree, told
    if errors:
        assert arrange(ours.err) == arrange(original.err), told


def _pieces(lines: list[str]) -> list[str]:
    """The words that were said, whenever: the original's processes write into each other's lines."""
    return sorted(re.sub(r"(\[\w+@)", r" \1", " ".join(lines)).split())


_ADDRESS = re.compile(r"0x[0-9a-f]{6,}|(?<=/tmp/tmp)\w{8}")


def _tree(world: Path) -> dict[str, str]:
    found = {}
    for top in ("there", "here", "home"):
        for path in sorted((world / top).rglob("*")):
            name = str(path.relative_to(world))
            if name.startswith("home/.ssh") or "__pycache__" in name:
                continue
            mode = path.lstat().st_mode
            if path.is_symlink():
                found[name] = f"-> {os.readlink(path)}"
            elif path.is_dir():
                found[name] = f"{mode:o}"
            else:
                found[name] = f"{mode:o} {path.read_bytes()!r}".replace(str(world), "WORLD")
    return found

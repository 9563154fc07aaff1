"""One run of the task: a process that is timed from its start to its end, and what it has left on the hosts."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.fabric.programs import ROOT, Program
from benchmarks.fleet.contest import Failed, Took
from benchmarks.fleet.yard import Yard

PATIENCE = 300.0  # seconds for one run: who hangs is a line without a figure
SETTINGS = "[site]\nname = example\n" + "".join(f"option{n} = {n * n}\n" for n in range(100))
LEFT = {
    "current/VERSION": "2\n",
    "current/settings.bak": SETTINGS,
    "current/settings.ini": SETTINGS,
    "current/shared/log": "deployed\n",
    "current/static/css/site.css": "",
    "current/static/js/site.js": "",
}


@contextlib.contextmanager
def world(yard: Yard, program: Program) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder to run in, with a home of its own, and its environment; and a new folder for the hosts' files."""
    here, there = yard.near / "here", yard.far / "there"
    try:
        ssh = here / "home" / ".ssh"
        ssh.mkdir(parents=True)
        shutil.copy(yard.server.key, ssh / "id_ed25519")
        shutil.copy(yard.server.known_hosts, ssh / "known_hosts")
        shutil.copy(program.file, here / "fabfile.py")
        (here / "settings.ini").write_text(SETTINGS)
        there.mkdir()
        shutil.chown(there, yard.user)
        yield (
            here,
            {
                "PATH": os.environ["PATH"],
                "HOME": str(here / "home"),
                "LANG": "C.UTF-8",
                "USER": yard.user,
                "LOGNAME": yard.user,
                "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
                "DEPLOY_THERE": str(there),
                "DEPLOY_FILE": str(here / "settings.ini"),
            },
        )
    finally:
        shutil.rmtree(here, ignore_errors=True)
        shutil.rmtree(there, ignore_errors=True)


def measure(yard: Yard, program: Program) -> Took:
    """Run it on all hosts; raises `Failed` if it does not end well, or if a host is not as the task leaves it."""
    hosts = ",".join(f"{yard.user}@{host}:{yard.server.port}" for host in yard.server.hosts)
    with world(yard, program) as (here, environment):
        yard.used(settled=True)
        before = busy()
        with open(here / "output", "w+b") as output:
            words = [*program.words, "-H", hosts, "deploy"]
            wall, cpu, status = timed(words, here, environment, output.fileno())
            if status:
                output.seek(0)
                said = output.read()[-1000:].decode(errors="replace")
                raise Failed(f"its status is {status}: ...{said}")
        yard.used(settled=True)
        far = busy() - before - cpu
        look(yard)
        return Took(wall, cpu, None, far)


def busy() -> float:
    """Seconds in which this machine's cores have worked so far, for whomever.

    What the hosts use is not counted at their sshd: a command that is watched there is no child of its connection.
    """
    user, nice, system, _, _, hard, soft, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
    return (user + nice + system + hard + soft) / os.sysconf("SC_CLK_TCK")


def timed(words: list[str], here: Path, environment: dict[str, str], output: int) -> tuple[float, float, int]:
    """Seconds, seconds of processor with those of its children, and the exit status; killed if it takes too long."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        words,
        cwd=here,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,  # it has no terminal, and its children end with it
    )
    late = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
    late.daemon = True
    late.start()
    try:
        _, code, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(code)
    finally:
        late.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return wall, used.ru_utime + used.ru_stime, process.returncode


def look(yard: Yard) -> None:
    """Raise `Failed` if a host is not as the task leaves it."""
    for host in yard.server.hosts:
        folder = yard.far / "there" / host
        for name, text in LEFT.items():
            try:
                found = (folder / name).read_text()
            except OSError as error:
                raise Failed(f"{host}: {error}") from None
            if found != text:
                raise Failed(f"{host}: {name} has {found[:50]!r}")
        if (folder / "releases/1").exists():
            raise Failed(f"{host}: an old release is still there")
        mode = (folder / "current/settings.ini").stat().st_mode & 0o777
        if mode != 0o640:
            raise Failed(f"{host}: settings.ini has mode {mode:o}")

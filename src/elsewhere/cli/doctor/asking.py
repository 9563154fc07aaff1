"""Each question in a process of its own, some at once, each with a bound.

Whatever is broken here may crash Python or wait for ever when it is looked at: that is then the answer, and all others
are there.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from elsewhere.cli.doctor.answers import QUESTIONS
from elsewhere.cli.doctor.finding import FAILS, Finding
from elsewhere.errors import describe_exit

__all__ = ["BOUND", "ask_all"]

BOUND = 30.0  # seconds for one question: on a busy machine, importing Dask alone has been seen to take eight
AT_ONCE = 4
FEW = "raise the limits of open files and processes: ulimit -n 4096, ulimit -u 4096"
UNKNOWN = "install it anew, or tell us: this is none of what is known"
# The modules that the command sees, and none beside: a file in this folder may have the name of one.
PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from elsewhere.cli.doctor.answers import answer; answer(sys.argv[2])"
)


def ask_all(names: Sequence[str]) -> Iterator[Finding]:
    """What is found, in the order of the questions, as it is there. Left early, it leaves no process."""
    running: set[subprocess.Popen[bytes]] = set()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        try:
            for findings in threads.map(lambda name: _ask(name, running), names):
                yield from findings
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                _kill(process)


def _ask(name: str, running: set[subprocess.Popen[bytes]]) -> list[Finding]:
    try:
        return _asked(name, running)
    except OSError as error:
        return [_failed(name, f"could not be tried, as no process can be started: {error.strerror}", FEW)]


def _asked(name: str, running: set[subprocess.Popen[bytes]]) -> list[Finding]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(sys.path), name],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    running.add(process)
    try:
        with process:
            try:
                out, err = process.communicate(timeout=BOUND)
            except subprocess.TimeoutExpired:
                _kill(process)
                return [_failed(name, f"did not answer within {BOUND:g} s")]
            finally:
                running.discard(process)
    except BaseException:
        _kill(process)
        raise
    found = _read(out)
    if found is not None:
        return found
    *_, last = [line.strip() for line in err.decode(errors="replace").splitlines() if line.strip()] or [""]
    ended = describe_exit(process.returncode)
    return [_failed(name, last if process.returncode == 1 and last else f"Python {ended} when it was tried")]


def _read(out: bytes) -> list[Finding] | None:
    *_, last = out.splitlines() or [b""]
    try:
        rows: list[Any] = json.loads(last)
        return [Finding(*row) for row in rows]
    except (ValueError, TypeError):
        return None


def _failed(name: str, says: str, do: str = UNKNOWN) -> Finding:
    return Finding(name, QUESTIONS[name].part, FAILS, says, do)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """It and what it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()

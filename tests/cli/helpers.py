"""What the tests of the shell share: a place to call that is this process, and the command as a real process."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elsewhere.cli.batch.destination import Wish
from elsewhere.cli.batch.inputs import Given, Inputs
from elsewhere.cli.batch.run import Plan, Run
from elsewhere.cli.ending import Signals
from elsewhere.cli.function.convert import conversion
from elsewhere.cli.function.target import Target

SOURCE = Path(__file__).resolve().parents[2] / "src"


@dataclass
class Done:
    input: Any
    value: Any
    error: BaseException | None
    attempt: int = 1


class PulledPlug(BaseException):
    """The machine is gone: nothing after this line of the test's program runs."""


class Inline:
    """An engine that calls in this process, last task of each `window` first, and can pull the plug."""

    def __init__(self, window: int = 3, plug: int | None = None) -> None:
        self.window = window
        self.plug = plug
        self.made = 0

    @contextlib.contextmanager
    def __call__(self, jobs, timeout, retries):
        yield self.calls

    def calls(self, job, tasks, *, ordered):
        batch = []
        for task in tasks:
            batch.append(task)
            if len(batch) == self.window:
                yield from self._answers(job, batch, ordered)
                batch = []
        yield from self._answers(job, batch, ordered)

    def _answers(self, job, batch, ordered):
        for task in batch if ordered else reversed(batch):
            if self.plug is not None and self.made >= self.plug:
                raise PulledPlug
            self.made += 1
            try:
                yield Done(task, job(task), None)
            except Exception as error:
                yield Done(task, None, error)


def run(function: str, inputs: Inputs | list[str], engine: Inline | None = None, **options: Any) -> int:
    """Run a plan in this process."""
    wishes = {name: options.pop(name) for name in list(options) if name in Wish.__dataclass_fields__}
    target = Target.parse(function)
    inputs = Given(inputs) if isinstance(inputs, list) else inputs
    wish = Wish(**wishes)
    wish.check(inputs)
    plan = Plan(target, conversion(target.function(), target.label), wish, "AGAIN", quiet=True, **options)
    return Run(plan, inputs, Signals(), engine or Inline()).run()


def rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a file, all of which have to be whole."""
    text = Path(path).read_bytes()
    assert text == b"" or text.endswith(b"\n")
    return [json.loads(line) for line in text.splitlines()]


# ---------------------------------------------------------------- the command as a process


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "elsewhere", *args]


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**os.environ, "PYTHONPATH": path, **more}


def shell(
    *args: str, cwd: Path, stdin: bytes = b"", bound: float = 50, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run ``elsewhere`` to its end. It never shows a traceback."""
    process = subprocess.run(
        command(*args),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=bound,
        env=environment(**variables),
        check=False,
    )
    ended = subprocess.CompletedProcess(
        process.args, process.returncode, process.stdout.decode(), process.stderr.decode()
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


class Started:
    """``elsewhere`` as a process of its own group, that is gone with everything it started when the block ends."""

    def __init__(self, *args: str, cwd: Path, **more: Any) -> None:
        self.process = subprocess.Popen(
            command(*args),
            cwd=cwd,
            env=environment(**more.pop("variables", {})),
            stdin=more.pop("stdin", subprocess.DEVNULL),
            stdout=more.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            start_new_session=True,
            **more,
        )
        self.said = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def end(self, bound: float = 30) -> int:
        out, self.said = self.process.communicate(timeout=bound)
        self.out = out
        assert b"Traceback" not in self.said, self.said.decode()
        return self.process.returncode


def until(condition, bound: float = 30.0):
    """Wait until `condition()` is true; an empty selector is a wait without a sleep."""
    end = time.monotonic() + bound
    with selectors.DefaultSelector() as nothing:
        while not (result := condition()):
            assert time.monotonic() < end, "it never came"
            nothing.select(0.01)
    return result


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0

"""A far worker over pipes, in any interpreter: speaks frames, decides nothing."""

from __future__ import annotations

import functools
import os
import pickle
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from elsewhere.runtime.far import bundle, worker

PATIENCE = 30.0  # seconds for anything that a worker is expected to do
SIZE = struct.Struct("<Q")
COUNT = struct.Struct("<I")


@functools.cache
def interpreters() -> list[str]:
    """This one, and the others of 3.8 and newer that are on this machine: of each minor version one."""
    own = "{}.{}".format(*sys.version_info[:2])
    found = {own: sys.executable}
    roots = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"]
    for minor in range(8, 20):
        places = [path / "bin" / f"python3.{minor}" for root in roots for path in sorted(root.glob(f"3.{minor}.*"))]
        places += [Path(folder) / f"python3.{minor}" for folder in os.get_exec_path()]
        for place in places:
            if f"3.{minor}" not in found and _answers(place):
                found[f"3.{minor}"] = str(place)
    return [found[version] for version in sorted(found, key=lambda text: int(text.split(".")[1]))]


def bare() -> list[str]:
    """The same without the packages of the environment that the tests run in, where elsewhere may be installed."""
    own = str(getattr(sys, "_base_executable", sys.executable))
    return [own if python == sys.executable else python for python in interpreters()]


def bare_environment() -> dict[str, str]:
    """This one, as a host has it: without what says where the modules of this house are."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def _answers(place: Path) -> bool:
    """Is it an interpreter, and not a shim for one that is not chosen?"""
    if not os.access(place, os.X_OK):
        return False
    run = subprocess.run([place, "-c", "import zlib"], capture_output=True, check=False)
    return run.returncode == 0


class Far:
    """One worker.

    Args:
        python: the interpreter.
        start: greet and set it up, with `setup`.
        modules: answers what it asks for.
        popen: keyword arguments for the process.
    """

    def __init__(
        self,
        python: str = sys.executable,
        *,
        start: bool = True,
        modules: Callable[[str], tuple[str, str, bool] | None] = lambda name: None,
        popen: dict[str, Any] | None = None,
        **setup: Any,
    ) -> None:
        payload = bundle.payload()
        words = bundle.first_words(len(payload))
        self.process = subprocess.Popen(
            [python, "-c", words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **{"stderr": subprocess.PIPE, "bufsize": 0, "env": bare_environment(), **(popen or {})},
        )
        self.frames = worker.Frames()
        self.modules = modules
        self.asked: list[str] = []
        self.asides: list[tuple[int, int, Any]] = []
        self._arrived: list[tuple[int, int, int, bytes]] = []
        self._numbers: dict[bytes, int] = {}
        self._words = ""
        self.raw(payload)
        if start:
            self.hello = self.next(worker.HELLO)
            self.send(worker.SETUP, self.setup(**setup))
            self.next(worker.READY)

    def setup(self, **options: Any) -> bytes:
        """The payload of a SETUP."""
        return pickle.dumps({"name": "web1", "stdlib": sorted(sys.stdlib_module_names), **options}, 4)

    # ---- out -----------------------------------------------------------------------------------------------------

    def raw(self, data: bytes) -> None:
        assert self.process.stdin is not None
        view = memoryview(data)
        while view:
            view = view[os.write(self.process.stdin.fileno(), view) :]

    def send(self, kind: int, payload: bytes = b"", flags: int = 0, number: int = 0) -> None:
        self.raw(worker.header(kind, len(payload), flags, number))
        self.raw(payload)

    def function(self, body: bytes) -> int:
        """The number of a function, taught if it is new."""
        number = self._numbers.get(body)
        if number is None:
            number = self._numbers[body] = len(self._numbers) + 1
            self.send(worker.FUNCTION, body, number=number)
        return number

    def run(self, fn: Any, *items: Any, shape: int = worker.ONE, batched: bool = False) -> None:
        """A run of calls; `fn` is a function that is pickled here, or a body; so is each item."""
        number = self.function(_body(fn))
        count = COUNT.pack(len(items))
        if batched:
            self.send(worker.RUN, count + pickle.dumps(list(items), 5), shape | worker.BATCHED, number)
        else:
            bodies = [_body(item) for item in items]
            self.send(worker.RUN, count + b"".join(SIZE.pack(len(b)) + b for b in bodies), shape, number)

    # ---- in ------------------------------------------------------------------------------------------------------

    def next(self, *kinds: int) -> Any:
        """What the next frame of these kinds says; asides before it are kept in `asides`."""
        return self.next_frame(*kinds)[3]

    def next_frame(self, *kinds: int) -> tuple[int, int, int, Any]:
        for kind, flags, number, payload in self._each():
            if kind == worker.ASK:
                self._tell(payload.decode())
            elif kinds and kind not in kinds:
                self.asides.append((kind, flags, payload))
                assert kind in (worker.OUTPUT, worker.LOG, worker.RELEASED), f"frame {kind} came: {payload!r:.2000}"
            else:
                return kind, flags, number, payload
        raise EOFError(f"the worker has ended: {self.wait()}, {self.words()}")

    def answer_one(self) -> None:
        """Answer the next question for a module, and nothing else."""
        kind, _, _, payload = next(self._each())
        assert kind == worker.ASK
        self._tell(payload.decode())

    def _tell(self, name: str) -> None:
        self.asked.append(name)
        self.send(worker.MODULE, pickle.dumps((name, self.modules(name)), 4))

    def value(self) -> Any:
        """The next answer, which is a value."""
        kind, _, _, payload = self.next_frame(worker.VALUE, worker.ERROR)
        assert kind == worker.VALUE, pickle.loads(payload)
        return pickle.loads(payload)

    def error(self) -> tuple[Any, str, Any, str, str, float]:
        """The next answer, which is an error: (exception or None, type, text, traceback, call, seconds)."""
        kind, _, _, payload = self.next_frame(worker.VALUE, worker.ERROR)
        assert kind == worker.ERROR, pickle.loads(payload)
        body, *rest = pickle.loads(payload)
        return (None if body is None else pickle.loads(body), *rest)

    def call(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        """One call and its value."""
        self.run(fn, (args, kwargs), shape=worker.BOTH)
        return self.value()

    def printed(self, stream: int = worker.STDOUT) -> str:
        """What has come so far of what was printed there."""
        texts = [payload for kind, flags, payload in self.asides if kind == worker.OUTPUT and flags == stream]
        return b"".join(texts).decode("utf-8", "surrogatepass")

    def _each(self) -> Iterator[tuple[int, int, int, bytes]]:
        assert self.process.stdout is not None
        end = time.monotonic() + PATIENCE
        while True:
            while self._arrived:
                yield self._arrived.pop(0)
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError(f"nothing came from the worker for {PATIENCE} s")
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            if not data:
                return
            self._arrived += self.frames.feed(data)

    # ---- its end -------------------------------------------------------------------------------------------------

    def wait(self) -> int:
        """Its exit status."""
        return self.process.wait(PATIENCE)

    def words(self) -> str:
        """What it has written to stderr; waits for its end."""
        self.wait()
        if self.process.stderr:
            self._words += self.process.stderr.read().decode()
        return self._words

    def hang_up(self) -> None:
        """The end of its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def _body(value: Any) -> bytes:
    return value if isinstance(value, bytes) else pickle.dumps(value, 4)


def named(module: str, name: str) -> bytes:
    """The pickle of a function by its name, which need not exist here."""
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n."


def source(text: str, name: str = "f", filename: str = "<test>") -> bytes:
    """The pickle of a function, by its source: the far side makes it anew, whatever its version."""
    run = f"exec(compile({text!r}, {filename!r}, 'exec'), names)"
    return reduced("builtins", "eval", f"(lambda names: ({run}, names[{name!r}])[1])({{'__name__': '__main__'}})")


def reduced(module: str, name: str, *args: Any) -> bytes:
    """The pickle of what a function of the far side returns for these arguments."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + pickle.dumps(args, 2)[2:-1] + b"R."

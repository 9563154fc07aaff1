"""What a driver knows of one far worker: what it has said of itself, and what it was taught."""

from __future__ import annotations

from typing import Any

from elsewhere.pool.far.line import Line
from elsewhere.runtime.far.worker import Frames

__all__ = ["Channel"]


class Channel:
    """One far worker.

    Args:
        key: the scheduler's name for it.
        name: of the machine, in front of what its calls print; "" where that says nothing.

    Attributes:
        where: it is, for messages; its name if nothing else is said.
        line: to it; None where runs are carried by other means.
        frames: the parser of what it sends.
        pid: its process's number there; None until it has said so.
        version: of its Python, as (3, 11, 2).
        cores: of its machine.
        functions: the numbers of those it knows.
        tokens: of the shared objects that it has.
        site: tells the machines of a pool apart, whose workers lend each other what is shared; None where they do not.
        wanted: tokens of those that it has asked for, as who lent them had gone.
        since: when its last answer came (`time.monotonic`): the call it is in has begun then.
        handed: how many calls it was handed in its life, but for those that were taken back.
        fed: when it was last handed calls and had none: the first of them begins then.
        ready: its initializer has run.
        start_error: the envelope of what its setup raised.
    """

    def __init__(self, key: int, name: str, line: Line | None = None) -> None:
        self.key = key
        self.name = name
        self.where = ""
        self.line = line
        self.frames = Frames()
        self.pid: int | None = None
        self.version: tuple[int, ...] = ()
        self.cores = 1
        self.functions: set[int] = set()
        self.tokens: set[int] = set()
        self.site: int | None = None
        self.wanted: set[int] = set()
        self.since = self.fed = 0.0
        self.handed = 0
        self.ready = False
        self.start_error: bytes | None = None

    def hear(self, hello: dict[str, Any]) -> None:
        """What it says of itself. It may say anything.

        Raises:
            ValueError: it makes no sense.
        """
        try:
            self.version = tuple(int(part) for part in hello["version"][:3])
            self.pid, self.cores = int(hello["pid"]), max(1, min(int(hello["cores"]), 4096))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"it greets with {hello!r:.200}") from error

    @property
    def place(self) -> str:
        """For messages: which worker it is, and where."""
        number = f" {self.pid}" if self.pid else ""
        where = self.where or self.name
        return f"worker{number} on {where}" if where else f"worker{number}"

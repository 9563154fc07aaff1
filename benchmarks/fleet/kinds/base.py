"""What each contestant has."""

from __future__ import annotations

import time
from typing import Any, NamedTuple, Self


class Answered(NamedTuple):
    """A verb's clock stops when all have answered: some close in the background, others when they are asked to."""

    when: float  # of `time.perf_counter`

    @classmethod
    def now(cls) -> Self:
        return cls(time.perf_counter())


class Kind:
    """Its further methods are verbs, each with a figure.

    Args:
        config: hosts, port, user, key, known_hosts; connect_timeout, if it is not what comes.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.hosts: list[str] = config["hosts"]
        self.port: int = config["port"]
        self.user: str = config["user"]
        self.key: str = config["key"]
        self.known_hosts: str = config["known_hosts"]
        self.connect_timeout: float | None = config.get("connect_timeout")

    def warm_up(self) -> None:
        """Load what is needed, and connect once."""

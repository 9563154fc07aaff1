"""What each contestant has."""

from __future__ import annotations

from typing import Any


class Kind:
    """Its further methods are verbs, each with a figure; what they find is checked by whoever asks.

    Args:
        config: see `Yard.config`; and where the cluster is, if there is one: scheduler.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.host: str = config["hosts"][0]
        self.scheduler: str = config.get("scheduler", "")

    def open(self) -> None:
        """Connect, and have done the first call: what comes later is warm."""

    def close(self) -> None:
        """Give back what `open` has taken."""

"""A progress bar that counts hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elsewhere.fleet.output.base import Output
from elsewhere.progress import Progress

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Bar"]


class Bar(Output):
    """See the module.

    Args:
        total: how many hosts there are.
        label: what stands before it.
    """

    def __init__(self, total: int, label: str) -> None:
        self._progress = Progress(total, label)

    def ended(self, host: Host, outcome: Any, seconds: float) -> None:
        self._progress.advance(1, int(isinstance(outcome, Exception)))

    def end(self) -> None:
        self._progress.close()

    def abandon(self) -> None:
        self._progress.close()

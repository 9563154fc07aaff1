"""What everything that looks at a fleet's work is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Output"]


class Output:
    """Derive from it, and override what you want to be told; ``fleet.run(..., output=YOURS)``.

    All is told in one thread that is none of the loop's, one thing after another: it may take its time, and the hosts
    wait meanwhile. What is raised here ends the verb, which raises it; what still ran on hosts is ended.
    """

    def begin(self, hosts: Sequence[Host]) -> None:
        """Work begins on these; it is told first."""

    def came(self, host: Host, stream: str, data: bytes) -> None:
        """A host's command has written something.

        Args:
            host: where.
            stream: ``"stdout"`` or ``"stderr"``.
            data: as it came: neither whole lines nor whole characters.
        """

    def ended(self, host: Host, outcome: Any, seconds: float) -> None:
        """A host has ended.

        Args:
            host: which.
            outcome: its result, or its exception.
            seconds: that it took in all, with connecting and all tries.
        """

    def flush(self) -> None:
        """There is no more news just now."""

    def abandon(self) -> None:
        """The work was cancelled before it began, and nothing else was told."""

    def end(self) -> None:
        """All hosts have ended, or the work was interrupted; it is told last."""

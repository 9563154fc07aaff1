"""One bar for all hosts that files go to, or come from; it counts bytes."""

from __future__ import annotations

from typing import Any, Self

__all__ = ["Bar"]


class Bar:
    """See the module; a context manager.

    Args:
        progress: whether there is one; as for a pool, True draws it on stderr.
        label: before it.
    """

    def __init__(self, progress: Any = False, label: str = "") -> None:
        self._total = 0
        self._bar = None
        if progress:
            from elsewhere.progress import Progress

            self._bar = Progress(None, label)

    def expect(self, size: int) -> None:
        """So many bytes more are to go."""
        self._total += size
        if self._bar is not None:
            self._bar.set_total(self._total)

    def advance(self, size: int) -> None:
        """So many have gone."""
        if self._bar is not None and size:
            self._bar.advance(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._bar is not None:
            self._bar.close()

"""One bar for all hosts that files go to, or come from; it counts bytes."""

from __future__ import annotations

from typing import Any, Self

__all__ = ["Bar"]


class Bar:
    """See the module; a context manager.

    Args:
        progress: whether there is one, on stderr; a str is what stands before it.
        label: before it, otherwise.

    Raises:
        TypeError: `progress` is none of that.
    """

    def __init__(self, progress: Any = False, label: str = "") -> None:
        self._total = 0
        self._bar = None
        if not isinstance(progress, bool | str | None):
            raise TypeError(f"progress is True, False or a label, not {progress!r}")
        if progress:
            from elsewhere.progress import Progress

            self._bar = Progress(None, progress if isinstance(progress, str) else label)

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
        self.close()

    def close(self) -> None:
        """It is over."""
        if self._bar is not None:
            self._bar.close()

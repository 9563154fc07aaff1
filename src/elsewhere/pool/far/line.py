"""A line: what carries frames to one far worker and back.

Rule: a line knows bytes. What they mean is `driver`'s business, and how it came to be is that of the room that made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Line"]


class Line(Protocol):
    """One far worker's line. It may still be on its way there: what is sent meanwhile waits.

    It tells the driver, from any thread::

        driver.post(driver.arrived, key, data)                   bytes that have come, in order
        driver.post(driver.ended, key, status, error, words)     once, after the last of them

    See `FarDriver.ended` for what these are.

    Attributes:
        name: of the machine, such as ``"web1"``: for messages, and in front of what its calls print.
    """

    name: str

    def send(self, pieces: Sequence[bytes]) -> None:
        """Send these, in order. From the thread that drives; never waits, and never raises."""
        ...

    def kill(self) -> None:
        """End the far worker at once, whatever it does; `ended` follows."""
        ...

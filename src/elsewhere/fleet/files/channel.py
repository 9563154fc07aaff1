"""What a put or a get asks of a script on the far side, however that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from elsewhere.fleet.files.outcome import TransferError

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Channel"]

KEPT = 16 << 10  # bytes of its errors


class Channel:
    """See the module.

    Attributes:
        host: where it runs.
        errors: what it has written to stderr, of late.
    """

    ENDING: ClassVar[float] = 6.0  # seconds for what is stopped to be gone

    def __init__(self, host: Host) -> None:
        self.host = host
        self.errors = bytearray()
        self._waiting = False  # until `go`, the end of its input ends it

    def waits(self) -> None:
        """It has said all, and does nothing before it is told to."""
        self._waiting = True

    def go(self, data: bytes) -> None:
        """Have it begin what it was made for."""
        self._waiting = False
        self.write(data)

    def write(self, data: bytes) -> None:
        """Into its input; `drain` waits until it takes more."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Wait until it takes more.

        Raises:
            BrokenPipeError: it has ended.
        """
        raise NotImplementedError

    def eof(self) -> None:
        """The end of its input."""
        raise NotImplementedError

    async def read(self) -> bytes:
        """Some of its output; b"" at its end."""
        raise NotImplementedError

    async def ended(self) -> int:
        """Its exit status; negative for a signal's.

        Raises:
            ConnectionLost: the connection broke.
        """
        raise NotImplementedError

    async def stop(self) -> None:
        """End it; returns when that has happened, or the far side does not answer."""
        raise NotImplementedError

    def _complains(self, data: bytes) -> None:
        self.errors += data
        del self.errors[:-KEPT]

    def only(self, saying: bytes) -> bool:
        """Is that all that it complains of?"""
        return all(saying in line for line in self.errors.splitlines())

    def failed(self, what: str) -> TransferError:
        """What it said before it failed."""
        text = self.errors.decode(errors="backslashreplace").strip()
        lines = text.splitlines()
        return TransferError(f"{self.host}: {what}: {'; '.join(lines[:3]) or 'it says nothing about why'}")

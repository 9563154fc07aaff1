"""What a task file may catch."""

from __future__ import annotations

__all__ = ["CommandTimeout", "NetworkError"]


class NetworkError(Exception):
    """There is no way to a host.

    Attributes:
        message: what is the matter.
        wrapped: what was raised below.
    """

    def __init__(self, message: str | None = None, wrapped: BaseException | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.wrapped = wrapped

    def __str__(self) -> str:
        return self.message or ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message}) => {self.wrapped!r}"


class CommandTimeout(Exception):
    """A command has not ended in time; it was ended.

    Attributes:
        timeout: seconds.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.message = f"Command failed to finish in {timeout} seconds"
        super().__init__(self.message)

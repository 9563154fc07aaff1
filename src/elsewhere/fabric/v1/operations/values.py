"""What operations give: texts and lists that say more than their contents."""

from __future__ import annotations

from typing import Any

__all__ = ["AttributeList", "AttributeString"]


class AttributeString(str):
    """A command's output.

    Attributes:
        stdout: itself.
        stderr: what the command wrote to its standard error, if that was kept apart.
        failed, succeeded: by its status.
        return_code: its status.
        command, real_command: as it was given, and as it was run.
    """

    __slots__ = ("__dict__",)
    stderr: Any
    failed: bool
    succeeded: bool
    return_code: int
    command: str
    real_command: str

    @property
    def stdout(self) -> str:
        return str(self)


class AttributeList(list[Any]):
    """Paths of files.

    Attributes:
        failed: those that were not copied.
        succeeded: all were.
    """

    failed: list[Any]
    succeeded: bool

"""What goes wrong on hosts, as task files catch it."""

from __future__ import annotations

from typing import Any

__all__ = ["GroupException", "InvalidV1Env", "NothingToDo"]


class NothingToDo(Exception):
    """A command was given, and no host."""


class GroupException(Exception):
    """Some of a group's hosts have failed.

    Attributes:
        result: the `GroupResult` of all of them.
    """

    def __init__(self, result: Any) -> None:
        super().__init__(result)
        self.result = result


class InvalidV1Env(Exception):
    """An ``env`` of Fabric 1 names no host."""
